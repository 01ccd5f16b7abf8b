// A client made of the OpenAPI document: types by openapi-typescript, calls by openapi-fetch. Prints what it was told
// as one JSON object.
//
// in    {"url": ..., "clientKey": ..., "token": ..., "room": ..., "message": ..., "tags": [two tags]}

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

interface Given {
  url: string;
  clientKey: string;
  token: string;
  room: string;
  message: string;
  tags: string[];
}

type Failure = components["schemas"]["Failure"];

const { url, clientKey, token, room, message, tags }: Given = JSON.parse(process.argv[2] ?? "");
const headers = { "IM-CLIENT-KEY": clientKey, "IM-Authorization": token };
const client = createClient<paths>({ baseUrl: url, headers });

async function badge(roomTags?: string[]): Promise<number> {
  const { data, error } = await client.GET("/me/badge", { params: { query: roomTags ? { roomTags } : {} } });
  if (data === undefined) throw new Error(error.error.message);
  return data.result.badge;
}

function failure(error: Failure | undefined): [number, string] {
  return error ? [error.RC, error.error.code] : [0, ""];
}

const before = [await badge(), await badge(tags.slice(0, 1)), await badge(tags)];
const read = await client.PUT("/rooms/{room}/lastRead", { params: { path: { room } }, body: { message } });
const receipts = await client.GET("/rooms/{room}/messages/{message}/receipts", {
  params: { path: { room, message }, query: { filter: "read" } },
});
const counts = await client.GET("/rooms/{room}/receipts", {
  params: { path: { room }, query: { messages: [message] } },
});
const unknown = await client.PUT("/rooms/{room}/lastRead", {
  params: { path: { room: "nowhere" } },
  body: { message },
});

console.log(
  JSON.stringify({
    before,
    read: read.data?.result.lastRead,
    after: read.data?.result.badge,
    readers: receipts.data?.result.readCount,
    counted: counts.data?.result.data.map((one) => [one.message, one.readCount]),
    unknown: failure(unknown.error),
  }),
);
