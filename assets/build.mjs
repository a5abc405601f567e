// Bundles scripts, styles, font and icon into src/streamgauge/web/static/dist, each under a name that
// changes with its content, and writes manifest.json: plain name -> built name.
import { build } from "esbuild";
import { rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "../src/streamgauge/web/static/dist");
const FONT = "inter-latin-wght-normal"; // preloaded: the subset that nearly every page needs

await rm(outdir, { recursive: true, force: true });
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  metafile: true,
  outdir,
  target: ["es2022", "chrome111", "firefox114", "safari16.4"],
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "copy" },
  legalComments: "linked",
  logLevel: "warning",
};
const results = await Promise.all([
  build({ ...shared, entryPoints: ["app.js"], format: "esm", splitting: true }),
  // Runs before the first paint, so that a dark page never flashes white.
  build({ ...shared, entryPoints: ["theme.js"], format: "iife" }),
  build({ ...shared, entryPoints: ["app.css", "favicon.svg"] }),
]);

const manifest = {};
for (const { metafile } of results) {
  for (const [path, output] of Object.entries(metafile.outputs)) {
    const built = relative(outdir, join(here, path));
    if (output.entryPoint) manifest[basename(output.entryPoint)] = built;
    else if (basename(path).startsWith(FONT)) manifest["inter.woff2"] = built;
  }
}
await writeFile(join(outdir, "manifest.json"), JSON.stringify(manifest, null, 1));
