// Bundles the page into dist/, or (--tests) the tests of its pure parts into test-dist/.
//
// Names of assets carry a hash of their content, so that a browser may keep them for ever; index.html names them. Each
// file gets a gzip copy beside it, so that the box compresses nothing while it serves.
import { build } from 'esbuild';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const here = (path) => new URL(path, import.meta.url);
const common = { bundle: true, jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning' };

async function tests() {
  await rm(here('test-dist'), { recursive: true, force: true });
  const names = (await readdir(here('test'))).filter((name) => name.endsWith('.test.ts'));
  await build({
    ...common,
    entryPoints: names.map((name) => `test/${name}`),
    absWorkingDir: here('.').pathname,
    outdir: 'test-dist',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    target: 'node18',
  });
}

async function page() {
  // Built aside and moved into place: a build that fails leaves the last good page.
  await rm(here('dist.new'), { recursive: true, force: true });
  const built = await build({
    ...common,
    entryPoints: { page: 'src/main.tsx' },
    absWorkingDir: here('.').pathname,
    outdir: 'dist.new/assets',
    entryNames: '[name]-[hash]',
    minify: true,
    format: 'esm',
    // Tablets stay in use for years.
    target: ['es2020', 'safari14', 'chrome90', 'firefox90'],
    legalComments: 'none',
    metafile: true,
  });
  const names = Object.keys(built.metafile.outputs).map((path) => path.replace('dist.new/', ''));
  let index = await readFile(here('src/index.html'), 'utf8');
  const script = names.find((name) => name.endsWith('.js'));
  index = index.replace('%SCRIPT%', script).replace('%STYLE%', names.find((name) => name.endsWith('.css')));
  for (const icon of await readdir(here('src/icons'))) {
    const body = await readFile(here(`src/icons/${icon}`));
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 8).toUpperCase();
    const name = `assets/${icon.replace('.svg', `-${hash}.svg`)}`;
    names.push(name);
    await writeFile(here(`dist.new/${name}`), body);
    index = index.replaceAll(`%${icon}%`, name);
  }
  await mkdir(here('dist.new'), { recursive: true });
  await writeFile(here('dist.new/index.html'), index);
  names.push('index.html');
  let total = 0;
  for (const name of names) {
    const packed = gzipSync(await readFile(here(`dist.new/${name}`)), { level: 9 });
    await writeFile(here(`dist.new/${name}.gz`), packed);
    total += packed.length;
  }
  await rm(here('dist'), { recursive: true, force: true });
  await rename(here('dist.new'), here('dist'));
  process.stderr.write(`The page is ${(total / 1000).toFixed(1)} kB gzip in ${names.length} files.\n`);
}

await (process.argv.includes('--tests') ? tests() : page());
