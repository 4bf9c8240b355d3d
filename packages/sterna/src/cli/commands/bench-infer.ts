/** `sterna bench infer`. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Command } from 'commander'
import type { PackedModel } from 'sterna-runtime'
import { SternaError } from '../../core/index.ts'
import { formatPercent, textTable } from '../../report/index.ts'
import { batchTable, timeBatches } from '../bench/batch-threads.ts'
import { type CutLayer, cutLayers } from '../bench/cut-layers.ts'
import {
  type InferenceContest,
  type InferenceTimes,
  type PeerTime,
  timeInference,
} from '../bench/inference.ts'
import { type GoalWorkload, goalWorkloads } from '../bench/inference-goals.ts'
import { randomPacked } from '../bench/inference-networks.ts'
import { installHint, openPeer, type PeerName, peerNames, readPeerNames } from '../bench/peer-packages.ts'
import { describeMachine, ratioCells } from '../bench/report.ts'
import { createCommand, defineAction } from '../command.ts'
import { loadModelSource, loadPackedSource } from '../load-model.ts'
import { fraction, oneOf, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'
import { versions } from '../versions.ts'

interface BenchInferOptions {
  readonly against?: readonly PeerName[]
  readonly network?: string
  readonly zeros: number
  readonly layers?: boolean
  readonly arithmetic: InferenceContest['arithmetic']
  readonly threads: number
  readonly pairs: number
  readonly checkpoint?: string
}

const benchNames = ['train', 'methods', 'epoch', 'infer', 'start', 'codec'] as const
const defaults = { zeros: 0.9, arithmetic: 'auto', threads: 1, pairs: 21 } as const

export function benchInferCommand(): Command {
  const command = createCommand('infer [file]', {
    summary: 'time packed networks against other engines',
    description:
      'Time one image through a packed network in sterna-runtime against the same network in other engines, in ' +
      'float32 and quantized to 8 bits, in turns in one process. FILE is a .sterna file; --network makes one up. ' +
      'Without either, the workloads that the runtime is measured by are timed, and their goals stand beside the ' +
      'ratios; so are batches on two threads against one. Close other programs first.',
    examples: [
      'bench infer',
      'bench infer digits.sterna --against ort-node,ort-web,tfjs',
      'bench infer --network resnet20 --zeros 0.64 --layers',
    ],
  })
    .option(
      '--against <names>',
      `engines, comma-separated: ${peerNames.join(', ')} (default: those that are installed)`,
      readPeerNames,
    )
    .option('--network <name>', 'network of the zoo to time with random ternary weights')
    .option(
      '--zeros <fraction>',
      'share of zeros in the ternary layers of --network',
      fraction('--zeros'),
      defaults.zeros,
    )
    .option(
      '--arithmetic <name>',
      'auto, f32 or int; int measures ranges of activations on random images where FILE has none',
      oneOf('--arithmetic', ['auto', 'f32', 'int']),
      defaults.arithmetic,
    )
    .option('--layers', 'time every layer with weights by itself as well')
    .option(
      '--threads <n>',
      'threads of the other engines; sterna-runtime has one, and two for batches',
      wholeNumber('--threads', 1, 1024),
      defaults.threads,
    )
    .option('--pairs <n>', 'how many times each is timed', wholeNumber('--pairs', 1, 10_000), defaults.pairs)
    .option(
      '--checkpoint <file>',
      'weights of a ternary ResNet-20 for the workloads, in place of random ones',
    )
  return defineAction<BenchInferOptions>(command, async (output, options, file) => {
    // `bench WORD` comes here as well: a word that is no file is a mistyped name.
    if (file !== undefined && path.extname(file) === '' && !existsSync(file)) oneOf('bench', benchNames)(file)
    expectFittingOptions(options, file)
    const { peers, missing } = await findPeers(options)
    const contest = { peers, threads: options.threads, pairs: options.pairs }
    const bench = file === undefined && options.network === undefined ? benchGoals : benchNetwork
    const { value, lines } = await bench(output, options, contest, file)
    const command = commandLine(options, file)
    const notes = missing.map(name => `not installed: ${name}; ${installHint(name)}`)
    output.result(
      { command, machine: describeMachine(), pairs: options.pairs, ...value },
      [...lines, ...notes, describeMachine(), command].join('\n'),
    )
  })
}

/** An option that would change nothing is a misunderstanding. */
function expectFittingOptions(
  { network, layers, arithmetic, checkpoint }: BenchInferOptions,
  file?: string,
): void {
  const isGiven = file !== undefined || network !== undefined
  const wrong =
    file !== undefined && network !== undefined
      ? '--network: FILE says already which network is timed'
      : isGiven && checkpoint !== undefined
        ? '--checkpoint: belongs to the workloads that are timed without FILE and --network'
        : !isGiven && (layers || arithmetic !== defaults.arithmetic)
          ? `${layers ? '--layers' : '--arithmetic'}: needs FILE or --network`
          : undefined
  if (wrong !== undefined) throw new SternaError('usage/option', wrong)
}

interface InferReport {
  readonly value: object
  readonly lines: readonly string[]
}

/** The engines asked for must be there; of all, those that are not are left out and named. */
async function findPeers({ against, threads }: BenchInferOptions): Promise<{
  readonly peers: readonly PeerName[]
  readonly missing: readonly PeerName[]
}> {
  if (against !== undefined) {
    for (const name of against) await openPeer(name, threads)
    return { peers: against, missing: [] }
  }
  const missing: PeerName[] = []
  for (const name of peerNames) await openPeer(name, threads).catch(() => missing.push(name))
  return { peers: peerNames.filter(name => !missing.includes(name)), missing }
}

async function benchNetwork(
  output: Output,
  { network, zeros, layers, arithmetic }: BenchInferOptions,
  contest: Omit<InferenceContest, 'arithmetic'>,
  file?: string,
): Promise<InferReport> {
  const packed =
    file === undefined ? randomPacked(network!, zeros) : loadPackedSource(file, 'bench infer').packed
  const what = file ?? `${network}, ${formatPercent(zeros, 0)} zeros in its ternary layers`
  const time = (model: PackedModel, label: string): Promise<InferenceTimes> =>
    timeInference(model, {
      ...contest,
      arithmetic,
      onRound: round => output.progress(`${label}: round ${round + 1} of ${contest.pairs}`),
    })
  const { oursMs, peers, arithmetic: used } = await time(packed, what)
  const lines = [
    textTable(
      [
        { title: 'one image', align: 'left' },
        { title: 'over sterna', align: 'right' },
        { title: 'min – max', align: 'right' },
        { title: 'ms', align: 'right' },
        { title: 'output differs', align: 'right' },
      ],
      [
        [`sterna, ${used}`, '1', '', oursMs.toFixed(4), ''],
        ...peers.map(({ name, ratio, medianMs, difference }) => [
          name,
          ...ratioCells(ratio),
          medianMs.toFixed(4),
          difference.toExponential(0),
        ]),
      ],
    ),
    '',
  ]
  const timed = []
  if (layers) {
    for (const { packed: layer, ...about } of await cutLayers(packed)) {
      timed.push({ ...about, ...(await time(layer, about.name)) })
    }
    lines.push(layerTable(timed), '')
    lines.push('A layer is timed as a network of its own: with its call, its bias and the clip behind it.')
  }
  lines.push(`${what}; medians of ${contest.pairs} rounds; ${describeVersions(peers)}`)
  return {
    value: { network: what, arithmetic: used, oursMs, peers, ...(layers && { layers: timed }) },
    lines,
  }
}

function layerTable(layers: readonly (Omit<CutLayer, 'packed'> & InferenceTimes)[]): string {
  const titles = layers[0]?.peers.map(({ name }) => name) ?? []
  return textTable(
    [
      { title: 'layer', align: 'left' },
      { title: 'shape', align: 'left' },
      { title: 'zeros', align: 'right' },
      { title: 'kernel', align: 'left' },
      { title: 'ms', align: 'right' },
      ...titles.map(title => ({ title, align: 'right' }) as const),
    ],
    layers.map(({ name, geometry, zeros, weights, kernel, oursMs, peers }) => [
      name,
      geometry,
      formatPercent(zeros / weights, 0),
      kernel,
      oursMs.toFixed(4),
      ...peers.map(({ ratio }) => `${ratio.median.toFixed(2)}×`),
    ]),
  )
}

async function benchGoals(
  output: Output,
  { checkpoint }: BenchInferOptions,
  contest: Omit<InferenceContest, 'arithmetic'>,
): Promise<InferReport> {
  const published = checkpoint === undefined ? undefined : loadModelSource(checkpoint, 'resnet20')
  const planned = goalWorkloads(published?.kind === 'weights' ? published.model : undefined)
  const workloads = []
  for (const { create, ...about } of planned) {
    const times = await timeInference(create(), {
      ...contest,
      arithmetic: about.arithmetic,
      onRound: round => output.progress(`${about.name}: round ${round + 1} of ${contest.pairs}`),
    })
    workloads.push({ ...about, ...times })
  }
  const { name, create } = planned[0]!
  const batches = await timeBatches(create(), {
    batches: [64, 256],
    rounds: contest.pairs,
    onRound: (what, round) => output.progress(`${what}: round ${round + 1} of ${contest.pairs}`),
  })
  const missed = workloads.flatMap(workload => workload.peers.filter(peer => isMissed(workload, peer)))
  const goals = workloads.flatMap(workload =>
    workload.peers.filter(peer => goalOf(workload, peer) !== undefined),
  )
  const peers = workloads[0]!.peers
  const lines = [
    textTable(
      [
        { title: 'one image, times as fast as', align: 'left' },
        { title: 'ms', align: 'right' },
        ...peers.map(({ name }) => ({ title: name, align: 'right' }) as const),
      ],
      workloads.map(workload => [
        workload.name,
        workload.oursMs.toFixed(4),
        ...workload.peers.map(peer => goalCell(workload, peer)),
      ]),
    ),
    '',
    `${goals.length - missed.length} of ${goals.length} goals (in brackets) reached, ! marks the others; ` +
      `medians of ${contest.pairs} rounds; ${describeVersions(peers)}`,
    '',
    batchTable(name, batches),
  ]
  return { value: { workloads, batches }, lines }
}

type Workload = Pick<GoalWorkload, 'goals'>

const goalOf = ({ goals }: Workload, { peer, precision }: PeerTime): number | undefined =>
  goals[`${peer} ${precision}`]

const isMissed = (workload: Workload, peer: PeerTime): boolean =>
  peer.ratio.median < (goalOf(workload, peer) ?? 0)

function goalCell(workload: Workload, peer: PeerTime): string {
  const goal = goalOf(workload, peer)
  const found = `${peer.ratio.median.toFixed(2)}×`
  return goal === undefined ? found : `${isMissed(workload, peer) ? '! ' : ''}${found} (${goal})`
}

function describeVersions(peers: readonly PeerTime[]): string {
  return [`sterna-runtime@${versions.runtime}`, ...new Set(peers.map(({ version }) => version))].join(', ')
}

function commandLine(options: BenchInferOptions, file?: string): string {
  const { against, network, zeros, layers, arithmetic, threads, pairs, checkpoint } = options
  return [
    'sterna bench infer',
    ...(file === undefined ? [] : [file]),
    ...(network === undefined ? [] : [`--network ${network} --zeros ${zeros}`]),
    ...(arithmetic === defaults.arithmetic ? [] : [`--arithmetic ${arithmetic}`]),
    ...(against === undefined ? [] : [`--against ${against.join(',')}`]),
    ...(layers ? ['--layers'] : []),
    ...(checkpoint === undefined ? [] : [`--checkpoint ${checkpoint}`]),
    `--threads ${threads} --pairs ${pairs}`,
  ].join(' ')
}
