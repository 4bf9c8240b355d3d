/** `sterna export`. */
import { brotliCompressSync } from 'node:zlib'
import type { Command } from 'commander'
import { writeFileAtomic } from '../../core/index.node.ts'
import { namingLater, SternaError } from '../../core/index.ts'
import { exportWasm } from '../../export/index.ts'
import { formatBytes, formatSize, textPairs } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadPackedSource } from '../load-model.ts'
import { oneOf } from '../option-values.ts'
import { type ArithmeticName, arithmeticNames } from '../predictors.ts'

interface ExportOptions {
  readonly output: string
  readonly arithmetic?: ArithmeticName
}

export function exportCommand(): Command {
  const command = createCommand('export <file>', {
    summary: 'make a WebAssembly module of a .sterna file',
    description:
      'Make a WebAssembly module of a .sterna file: kernels, calls and coded weights of this one network, ready ' +
      'to run in milliseconds, in any host with 128-bit SIMD. In JavaScript sterna-runtime/compiled loads it; ' +
      'answers are those of the .sterna file, bit for bit.',
    examples: ['export digits.sterna -o digits.wasm', 'export digits.sterna -o digits.wasm --arithmetic f32'],
  })
    .requiredOption('-o, --output <file>', 'the .wasm file to write')
    .option(
      '--arithmetic <name>',
      'auto, f32 or int; int is for files with ranges of activations (default: auto, int where there are ranges)',
      oneOf('--arithmetic', arithmeticNames),
    )
  return defineAction<ExportOptions>(command, async (output, { output: target, arithmetic }, file) => {
    if (!target.toLowerCase().endsWith('.wasm')) {
      throw new SternaError('usage/option', `--output ${target}: expected a name that ends in .wasm`, {
        hint: 'a WebAssembly module is what this command writes',
      })
    }
    const { packed } = loadPackedSource(file!, 'export')
    const { bytes, parts, memoryBytes, description } = await namingLater(file!, () =>
      exportWasm(packed, { ...(arithmetic && { arithmetic }) }),
    )
    writeFileAtomic(target, bytes)
    const brotliBytes = brotliCompressSync(bytes).length
    output.result(
      {
        file: target,
        bytes: bytes.length,
        brotliBytes,
        parts,
        memoryBytes,
        arithmetic: description.arithmetic,
        arithmeticReason: description.arithmeticReason,
      },
      [
        textPairs([
          ['network', description.name],
          ['arithmetic', `${description.arithmetic}: ${description.arithmeticReason}`],
          ['ternary weights', `${formatBytes(parts.levels)}, coded`],
          ['other data', formatBytes(parts.data)],
          ['code', formatBytes(parts.code)],
          ['memory', `${formatSize(memoryBytes)} to run`],
        ]),
        '',
        `wrote ${target}: ${formatBytes(bytes.length)}, ${formatBytes(brotliBytes)} where it is served with brotli`,
      ].join('\n'),
    )
  })
}
