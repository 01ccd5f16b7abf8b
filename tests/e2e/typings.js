// Rocket.Chat's schemas of its own objects (@rocket.chat/core-typings), driven by one JSON argument.
//
// in    {"schema": name, "values": [...]}
// out   a JSON line for each value: what does not fit, [] when all does

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { schemas } = require("@rocket.chat/core-typings/dist/Ajv.js");
const Ajv = require("ajv").default;
const addFormats = require("ajv-formats").default;

const { schema, values } = JSON.parse(process.argv[2]);
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ $id: "rocketchat", ...schemas });
const validate = ajv.getSchema(`rocketchat#/components/schemas/${schema}`);

for (const value of values) {
  const wrong = validate(value) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message}`);
  process.stdout.write(JSON.stringify(wrong) + "\n");
}
