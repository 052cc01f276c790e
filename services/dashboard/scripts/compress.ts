// Each file of the build beside its brotli and gzip forms, so that the gateway never compresses anything itself.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Plugin } from 'vite';

const TEXT = new Set(['.js', '.css', '.html', '.svg', '.json']);
/** Below this a header costs more than is won. */
const LEAST_BYTES = 512;

async function compressed(path: string): Promise<void> {
  const content = await readFile(path);
  if (content.length < LEAST_BYTES) return;
  const hint = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  await writeFile(`${path}.br`, await promisify(brotliCompress)(content, { params: hint }));
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
}

export function compress(): Plugin {
  return {
    name: 'compress',
    apply: 'build',
    async writeBundle(options) {
      const folder = options.dir ?? 'dist';
      const names = await readdir(folder, { recursive: true });
      await Promise.all(names.filter((name) => TEXT.has(extname(name))).map((name) => compressed(join(folder, name))));
    },
  };
}
