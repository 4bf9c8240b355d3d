/** `sterna data list` and `sterna data fetch`. */
import { homedir } from 'node:os'
import path from 'node:path'
import type { Command } from 'commander'
import {
  type DownloadProgress,
  dataCatalogue,
  type FetchResult,
  fetchCifar10,
  fetchMnist,
} from '../../data/index.node.ts'
import { formatCount, formatSize, textTable } from '../../report/index.ts'
import { createCommand, defineAction } from '../command.ts'
import { interruptible } from '../interruption.ts'
import { oneOf } from '../option-values.ts'

export function dataCommand(): Command {
  const group = createCommand('data', {
    summary: 'list the known data sets and download them',
    examples: ['data list', 'data fetch mnist'],
  })
  group.addCommand(listCommand())
  group.addCommand(fetchCommand())
  return group
}

function listCommand(): Command {
  const command = createCommand('list', {
    summary: 'show the known data sets and where they were found',
    description:
      'Show the known data sets and where they were found: in the folder that STERNA_DATA names, or in ./data.',
    examples: ['data list', 'data list --json'],
  })
  return defineAction(command, async output => {
    const sets = await dataCatalogue()
    const rows = sets.map(set => [
      set.name,
      set.imageShape.join('×'),
      formatCount(set.classes),
      formatCount(set.trainImages),
      formatCount(set.testImages),
      set.sizeBytes === 0 ? 'built in' : formatSize(set.sizeBytes),
      set.found
        ? set.dir === undefined
          ? 'always here'
          : shorten(set.dir)
        : `sterna data fetch ${set.name}`,
    ])
    const table = textTable(
      [
        { title: 'data set', align: 'left' },
        { title: 'image', align: 'left' },
        { title: 'classes', align: 'right' },
        { title: 'train', align: 'right' },
        { title: 'test', align: 'right' },
        { title: 'size', align: 'right' },
        { title: 'where', align: 'left' },
      ],
      rows,
    )
    output.result({ datasets: sets }, table)
  })
}

const fetchers = { mnist: fetchMnist, cifar10: fetchCifar10 } as const
type Fetchable = keyof typeof fetchers

interface FetchCommandOptions {
  readonly dir?: string
}

function fetchCommand(): Command {
  const command = createCommand('fetch <name>', {
    summary: 'download a data set: mnist (12 MB) or cifar10 (170 MB)',
    description:
      'Download a data set, mnist (12 MB) or cifar10 (170 MB), from its public mirrors. Checksums are verified; ' +
      'what is there already is kept, and an interrupted download goes on where it stopped.',
    examples: ['data fetch mnist', 'data fetch cifar10 --dir ~/data'],
  }).option('--dir <dir>', 'folder to put the files into (default: STERNA_DATA, else ./data)')
  return defineAction<FetchCommandOptions>(command, async (output, options, name) => {
    const wanted = oneOf('data set', Object.keys(fetchers) as Fetchable[])(name!)
    const dir = options.dir ?? (process.env.STERNA_DATA || 'data')
    const result = await interruptible(signal =>
      fetchers[wanted](dir, { signal, onProgress: progress => output.progress(describeProgress(progress)) }),
    )
    output.result({ name: wanted, ...result }, describeResult(wanted, result))
  })
}

const BAR_CELLS = 24

function describeProgress({ file, receivedBytes, totalBytes }: DownloadProgress): string {
  if (totalBytes === undefined) return `${file}  ${formatSize(receivedBytes)}`
  const share = Math.min(1, receivedBytes / Math.max(1, totalBytes))
  const filled = Math.round(share * BAR_CELLS)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled)
  return `${bar} ${(100 * share).toFixed(0).padStart(3)} %  ${file}  ${formatSize(receivedBytes)} of ${formatSize(totalBytes)}`
}

function describeResult(name: Fetchable, { dir, files }: FetchResult): string {
  const downloaded = files.filter(file => file.status === 'downloaded').length
  const use = `use it with --data ${name}:${shorten(dir)}`
  return downloaded === 0
    ? `${name} is complete in ${shorten(dir)} (${files.length} files); ${use}`
    : `wrote ${downloaded} of ${files.length} files to ${shorten(dir)}; ${use}`
}

/** The home folder as `~`, as a shell would take it. */
function shorten(folder: string): string {
  const home = homedir()
  return folder.startsWith(home + path.sep) ? `~${folder.slice(home.length)}` : folder
}
