// Rocket.Chat's REST client, driven by one JSON argument; prints one JSON line for each call.
//
// in    {"url": ..., "user": ..., "token": ..., "calls": [["get" | "post", endpoint, params], ...]}
// out   {"answer": body} or, where the client rejects, {"status": HTTP status, "error": body}

import { RestClient } from "@rocket.chat/api-client";

const { url, user, token, calls } = JSON.parse(process.argv[2]);
const client = new RestClient({ baseUrl: url, credentials: { "X-User-Id": user, "X-Auth-Token": token } });
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

for (const [method, endpoint, params] of calls) {
  try {
    say({ answer: await client[method](endpoint, params) });
  } catch (response) {
    say({ status: response.status, error: await response.json() });
  }
}
