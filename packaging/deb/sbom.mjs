// Completes a list of crates (CycloneDX 1.5) with the npm packages of the page that is embedded, and takes this machine out of it.
//
//   sbom.mjs CRATES.json PACKAGE-LOCK.json ROOT >BOM
import { readFileSync } from 'node:fs';

const [crates, lock, root] = process.argv.slice(2);
const bom = JSON.parse(readFileSync(crates, 'utf8').replaceAll(root, '/smartpick'));
const packages = Object.entries(JSON.parse(readFileSync(lock, 'utf8')).packages)
  // The page itself has no name here, and what only builds it is not in it.
  .filter(([path, one]) => path && !one.dev)
  .map(([path, { version, license, resolved, integrity }]) => {
    const name = path.split('node_modules/').at(-1);
    const [algorithm, digest] = integrity.split(/-(.*)/);
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      scope: 'required',
      hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') }],
      licenses: [{ expression: license }],
      purl,
      externalReferences: [{ type: 'distribution', url: resolved }],
    };
  });
const program = bom.dependencies.find(({ ref }) => ref === bom.metadata.component['bom-ref']);
program.dependsOn.push(...packages.map(({ purl }) => purl));
bom.dependencies.push(...packages.map(({ purl }) => ({ ref: purl })));
bom.components.push(...packages);
process.stdout.write(`${JSON.stringify(bom, null, 2)}\n`);
