// RapiDoc shows an example of a body only where it stands under a name.
const named = (node) => {
  if (node === null || typeof node !== "object") return node;
  if (Array.isArray(node)) return node.map(named);
  const { example, ...rest } = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, named(value)]));
  if (example === undefined) return rest;
  return "schema" in node && !("in" in node) ? { ...rest, examples: { Example: { value: example } } } : { ...rest, example };
};

const answer = await fetch("schema/openapi.json");
await customElements.whenDefined("rapi-doc");
document.querySelector("rapi-doc").loadSpec(named(await answer.json()));
