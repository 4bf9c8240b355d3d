/** What a packed file says of where it comes from and what it is for. */
import path from 'node:path'
import type { Command } from 'commander'
import type { PackedMetadata, Preview } from 'sterna-runtime'
import { fileLimits } from 'sterna-runtime/format'
import { readFileBytes } from '../core/index.node.ts'
import { SternaError } from '../core/index.ts'
import { spreadNormalization } from '../data/index.ts'
import { readRunSummary } from '../train/index.node.ts'
import type { FloatSource } from './load-model.ts'
import { chooseNormalization, type NormalizationOptions } from './normalization-options.ts'

export interface MetadataOptions extends NormalizationOptions {
  readonly licence?: string
  readonly classes?: string
  readonly preprocessing?: string
}

export function addMetadataOptions(command: Command): Command {
  return command
    .option('--licence <expression>', 'an SPDX licence expression, e.g. MIT')
    .option('--classes <names>', 'names of the outputs in order, with commas between them')
    .option('--preprocessing <text>', 'what is done with an image before mean and std, in words')
    .option(
      '--preview <file>',
      `a picture or text of at most ${fileLimits.previewBytes} bytes to show for the network`,
    )
}

/** Normalisation (from --mean and --std, else the model's), what the options say and, for a run, its training. */
export function packedMetadata(source: FloatSource, options: MetadataOptions = {}): PackedMetadata {
  const shape = source.model.graph.inputs[0]!.shape
  const { mean, std } = spreadNormalization(
    chooseNormalization(options, source.normalization),
    shape.length === 4 ? shape[1]! : 1,
  )
  const isKnown =
    source.normalization !== undefined || options.mean !== undefined || options.std !== undefined
  const { classes, licence, preprocessing } = options
  return {
    ...(isKnown && { normalization: { mean, std } }),
    ...(classes !== undefined && { classes: classes.split(',').map(name => name.trim()) }),
    ...(licence !== undefined && { licence }),
    ...(preprocessing !== undefined && { preprocessing }),
    ...(source.config !== undefined && { training: trainingSummary(source) }),
  }
}

function trainingSummary({ path: directory, config }: FloatSource): Readonly<Record<string, unknown>> {
  const { method, data } = config!
  const { epochs, selected } = readRunSummary(directory)
  const { validationAccuracy: accuracy } = selected
  return {
    method,
    data: data.split(':')[0],
    epochs,
    ...(accuracy !== undefined && { validationAccuracy: Number(accuracy.toFixed(6)) }),
  }
}

const mediaTypes: Readonly<Record<string, string>> = {
  '.avif': 'image/avif',
  '.gif': 'image/gif',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.webp': 'image/webp',
}

/** The file that --preview names; its ending says what it is. */
export function readPreviewFile(file: string): Preview {
  const mediaType = mediaTypes[path.extname(file).toLowerCase()]
  if (mediaType === undefined) {
    throw new SternaError('usage/option', `--preview ${file}: cannot tell what it is from its ending`, {
      hint: `known are ${Object.keys(mediaTypes).join(', ')}`,
    })
  }
  return { mediaType, bytes: readFileBytes(file, { maxBytes: fileLimits.previewBytes }) }
}
