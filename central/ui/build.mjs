// Builds the headquarters' page; how, is shared with the supervisors' page.
import * as esbuild from 'esbuild';
import { run } from '../../common/ui/build.mjs';

await run(esbuild, import.meta.url);
