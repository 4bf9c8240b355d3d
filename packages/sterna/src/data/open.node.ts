/** Opens a data set by the text that stands in a command line or a configuration. */
import { readFileBytes } from '../core/files.node.ts'
import { closest, SternaError } from '../core/index.ts'
import { assembleCifar10, CIFAR10_TEST_FILE, CIFAR10_TRAIN_FILES, readCifar10Part } from './cifar10.ts'
import type { Dataset } from './dataset.ts'
import { createGlyphs, parseGlyphsOptions } from './glyphs/index.ts'
import type { NamedBytes } from './labelled-images.ts'
import {
  type FileDatasetName,
  type LocatedDataset,
  type LocateOptions,
  locate,
  locateIn,
} from './locate.node.ts'
import { readMnist } from './mnist.ts'

export const DATASET_NAMES = ['mnist', 'cifar10', 'glyphs'] as const
export type DatasetName = (typeof DATASET_NAMES)[number]

/** Every file of the known sets is smaller; anything beyond is another kind of file. */
const MAX_FILE_BYTES = 64 * 1024 * 1024

/**
 * The data set of a spec: `mnist:DIR` or `cifar10:DIR` with the folder of its files, `mnist` or `cifar10`
 * alone to look in STERNA_DATA and ./data, `glyphs` or `glyphs:train=6000,test=1000,seed=1` for the built-in
 * set.
 */
export async function openDataset(spec: string, options: LocateOptions = {}): Promise<Dataset> {
  const colon = spec.indexOf(':')
  const name = colon < 0 ? spec : spec.slice(0, colon)
  const argument = colon < 0 ? '' : spec.slice(colon + 1)
  switch (name as DatasetName) {
    case 'mnist':
      return openMnist(await find('mnist', argument, options))
    case 'cifar10':
      return openCifar10(await find('cifar10', argument, options))
    case 'glyphs':
      return createGlyphs(parseGlyphsOptions(argument))
    default:
      throw new SternaError('usage/option', `data set "${name}" is unknown`, {
        hint: `nearest: ${closest(name, DATASET_NAMES).join(', ')}; all: ${DATASET_NAMES.join(', ')}`,
      })
  }
}

async function find(name: FileDatasetName, dir: string, options: LocateOptions): Promise<LocatedDataset> {
  if (dir !== '') return locateIn(name, dir)
  const located = await locate(name, options)
  if (located !== undefined) return located
  throw new SternaError('data/not-found', `${name}: found neither in STERNA_DATA nor in ./data`, {
    hint: `name its folder (${name}:DIR), run: sterna data fetch ${name}, or use the built-in set: glyphs`,
  })
}

async function openMnist({ files }: LocatedDataset): Promise<Dataset> {
  return readMnist({
    'train-images': readNamed(files['train-images']!),
    'train-labels': readNamed(files['train-labels']!),
    't10k-images': readNamed(files['t10k-images']!),
    't10k-labels': readNamed(files['t10k-labels']!),
  })
}

async function openCifar10({ files }: LocatedDataset): Promise<Dataset> {
  const parts = []
  for (const name of CIFAR10_TRAIN_FILES) parts.push(readCifar10Part(readNamed(files[name]!)))
  return assembleCifar10(parts, readCifar10Part(readNamed(files[CIFAR10_TEST_FILE]!)))
}

function readNamed(file: string): NamedBytes {
  return { name: file, bytes: readFileBytes(file, { maxBytes: MAX_FILE_BYTES }) }
}
