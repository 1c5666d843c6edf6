// What c2pa-ts, an implementation of C2PA by others, says of files: one line of JSON for each.
//
//   npm install --prefix FOLDER @trustnxt/c2pa-ts@0.9.4
//   node benchmarks/c2pa_ts.mjs FOLDER a.png b.mp4
//
// It reads jpeg, png and ISO boxes. Two things are set here, neither of which touches a hash or a
// signature: it takes boxes for a picture's only, so the brands of mp4 are added; and it finds no box
// by its name where two have that name (our label is in a second uuid box), so the one with the
// manifest is given.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...names] = process.argv.slice(2);
const part = (name) =>
  import(pathToFileURL(join(folder, "node_modules/@trustnxt/c2pa-ts/dist", name, "index.js")).href);
const [{ BMFF, JPEG, PNG }, { SuperBox }, { ManifestStore, ValidationResult }] = await Promise.all(
  ["asset", "jumbf", "manifest"].map(part),
);

BMFF.canReadBrands.add("isom");
const byPath = BMFF.prototype.getBoxByPath;
BMFF.prototype.getBoxByPath = function (path) {
  return path === "/uuid" ? this.getManifestStoreBox() : byPath.call(this, path);
};

for (const name of names) {
  const data = await readFile(name);
  const Format = [JPEG, PNG, BMFF].find((one) => one.canRead(data));
  if (!Format) {
    console.log(JSON.stringify({ name, read: false }));
    continue;
  }
  let result;
  try {
    const asset = new Format(data);
    const store = ManifestStore.read(SuperBox.fromBuffer(asset.getManifestJUMBF()));
    result = await store.validate(asset);
  } catch (error) {
    result = ValidationResult.fromError(error);
  }
  const wrong = result.statusEntries.filter((one) => !one.success).map((one) => one.code);
  const right = result.statusEntries.filter((one) => one.success).map((one) => one.code);
  console.log(JSON.stringify({ name, read: true, valid: result.isValid, wrong, right }));
}
