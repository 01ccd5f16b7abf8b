// Holds an OpenAPI or AsyncAPI document against Spectral's rules (spectral:oas or spectral:asyncapi, all that are
// recommended).
//
// in    the path of the document
// out   one JSON array of what is wrong, [] when nothing is

import { readFileSync } from "node:fs";
import spectral from "@stoplight/spectral-core";
import rulesets from "@stoplight/spectral-rulesets";

const linter = new spectral.Spectral();
const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const events = { extends: [rulesets.asyncapi], rules: { "asyncapi-info-contact-properties": "off" } }; // it has a name only
linter.setRuleset(document.asyncapi ? events : { extends: [rulesets.oas] });
const found = await linter.run(document);
const told = found.map(({ code, message, path }) => `${code}: ${message} (${path.join(".")})`);
process.stdout.write(JSON.stringify(told) + "\n");
