// How both pages are built: bundled into dist/, or (--tests) the tests of their pure parts into test-dist/.
//
// Names of assets carry a hash of their content, so that a browser may keep them for ever; index.html names them. Each
// file gets a gzip copy beside it, so that nothing is compressed while it is served.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** Runs one build. `esbuild` is the page's own, and `home` the URL of its folder: this one has no packages. */
export async function run(esbuild, home) {
  const at = (path) => fileURLToPath(new URL(path, home));
  const common = {
    bundle: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
    absWorkingDir: at('.'),
    // What is shared finds the packages of the page that shares it.
    nodePaths: [at('node_modules')],
  };
  await (process.argv.includes('--tests') ? tests(esbuild, at, common) : page(esbuild, at, common));
}

async function tests(esbuild, at, common) {
  await rm(at('test-dist'), { recursive: true, force: true });
  const names = (await readdir(at('test'))).filter((name) => name.endsWith('.test.ts'));
  await esbuild.build({
    ...common,
    entryPoints: names.map((name) => `test/${name}`),
    outdir: 'test-dist',
    outExtension: { '.js': '.mjs' },
    platform: 'node',
    format: 'esm',
    target: 'node18',
  });
}

async function page(esbuild, at, common) {
  // Built aside and moved into place: a build that fails leaves the last good page.
  await rm(at('dist.new'), { recursive: true, force: true });
  const built = await esbuild.build({
    ...common,
    entryPoints: { page: 'src/main.tsx' },
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
  let index = await readFile(at('src/index.html'), 'utf8');
  const script = names.find((name) => name.endsWith('.js'));
  index = index.replace('%SCRIPT%', script).replace('%STYLE%', names.find((name) => name.endsWith('.css')));
  const icons = fileURLToPath(new URL('icons', import.meta.url));
  for (const icon of await readdir(icons)) {
    if (!index.includes(`%${icon}%`)) continue;
    const body = await readFile(`${icons}/${icon}`);
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 8).toUpperCase();
    const name = `assets/${icon.replace('.svg', `-${hash}.svg`)}`;
    names.push(name);
    await writeFile(at(`dist.new/${name}`), body);
    index = index.replaceAll(`%${icon}%`, name);
  }
  await mkdir(at('dist.new'), { recursive: true });
  await writeFile(at('dist.new/index.html'), index);
  names.push('index.html');
  let total = 0;
  for (const name of names) {
    const packed = gzipSync(await readFile(at(`dist.new/${name}`)), { level: 9 });
    await writeFile(at(`dist.new/${name}.gz`), packed);
    total += packed.length;
  }
  await rm(at('dist'), { recursive: true, force: true });
  await rename(at('dist.new'), at('dist'));
  process.stderr.write(`The page is ${(total / 1000).toFixed(1)} kB gzip in ${names.length} files.\n`);
}
