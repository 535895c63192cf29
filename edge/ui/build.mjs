// Builds the supervisors' page; how, is shared with headquarters' page.
import * as esbuild from 'esbuild';
import { run } from '../../common/ui/build.mjs';

await run(esbuild, import.meta.url);
