/** From an empty process to a network's first answer: what starting costs each engine. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { PackedModel } from 'sterna-runtime'
import { SternaError } from '../../core/index.ts'
import { exportWasm } from '../../export/index.ts'
import { writeOnnx } from '../../formats/onnx/index.ts'
import { exportOnnx } from '../../graph/onnx/index.ts'
import { toModel, writeSterna } from '../../pack/index.ts'
import { textTable } from '../../report/index.ts'
import { median } from './pairs.ts'
import { type PeerName, peerAddress } from './peer-packages.ts'

/** Milliseconds from import to first answer that a compiled network is to stay below. */
const goalMs = 25

export interface StartTime {
  readonly name: string
  readonly goalMs?: number
  /** Of all rounds, ascending. */
  readonly ms: readonly number[]
  readonly medianMs: number
}

export interface StartContest {
  readonly peers: readonly Extract<PeerName, 'ort-node' | 'ort-web'>[]
  readonly rounds: number
  readonly onRound?: (round: number) => void
}

interface Starter {
  readonly name: string
  readonly goalMs?: number
  /** Statements that leave the first answer behind; they find `file` and `image`. */
  readonly body: string
  readonly file: string
}

/** Every engine in a process of its own, one after the other, in turns. */
export async function timeStarts(
  packed: PackedModel,
  { peers, rounds, onRound }: StartContest,
): Promise<readonly StartTime[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sterna-start-'))
  try {
    const { bytes: module } = await exportWasm(packed)
    const [wasm, sterna, onnx] = [module, writeSterna(packed), writeOnnx(exportOnnx(toModel(packed)))].map(
      (bytes, index) => {
        const file = path.join(folder, ['net.wasm', 'net.sterna', 'net.onnx'][index]!)
        writeFileSync(file, bytes)
        return file
      },
    ) as [string, string, string]
    const [{ name: input, shape }] = packed.inputs as readonly [PackedModel['inputs'][number]]
    const starters: readonly Starter[] = [
      { name: 'sterna, compiled', goalMs, body: sternaBody('sterna-runtime/compiled'), file: wasm },
      { name: 'sterna, planned at load', body: sternaBody('sterna-runtime'), file: sterna },
      ...peers.map(peer => ({ name: peer, body: ortBody(peer, input, shape), file: onnx })),
    ]
    const times = starters.map((): number[] => [])
    for (let round = 0; round < rounds; round++) {
      onRound?.(round)
      for (let turn = 0; turn < starters.length; turn++) {
        const index = (turn + round) % starters.length
        times[index]!.push(await start(starters[index]!, shape))
      }
    }
    return starters.map(({ name, goalMs }, index) => {
      const ms = times[index]!.sort((a, b) => a - b)
      return { name, ms, medianMs: median(ms), ...(goalMs !== undefined && { goalMs }) }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const sternaBody = (name: string): string => `
  const { load } = await import(${JSON.stringify(import.meta.resolve(name))})
  const session = await load(readFileSync(file))
  session.run(image)`

const ortBody = (peer: StartContest['peers'][number], input: string, shape: readonly number[]): string => `
  const ort = await import(${JSON.stringify(peerAddress(peer))})
  if (ort.env.wasm) ort.env.wasm.numThreads = 1
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 }
  const session = await ort.InferenceSession.create(readFileSync(file), options)
  await session.run({ ${JSON.stringify(input)}: new ort.Tensor('float32', image, ${JSON.stringify(shape)}) })`

async function start({ name, body, file }: Starter, shape: readonly number[]): Promise<number> {
  const program = `
    import { readFileSync } from 'node:fs'
    const file = ${JSON.stringify(file)}
    const image = new Float32Array(${shape.reduce((product, size) => product * size, 1)})
    const startedMs = performance.now()
    ${body}
    console.log(performance.now() - startedMs)
    process.exit()`
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
    return Number(stdout)
  } catch (cause) {
    throw new SternaError('engine/failed', `${name}: its process failed: ${(cause as Error).message}`, {
      cause,
    })
  }
}

export function startTable(times: readonly StartTime[]): string {
  const [first] = times
  return textTable(
    [
      { title: 'from import to the first answer', align: 'left' },
      { title: 'ms', align: 'right' },
      { title: 'min – max', align: 'right' },
      { title: 'of the first', align: 'right' },
    ],
    times.map(({ name, ms, medianMs, goalMs }) => [
      name,
      `${goalMs !== undefined && medianMs > goalMs ? '! ' : ''}${medianMs.toFixed(1)}${goalMs === undefined ? '' : ` (${goalMs})`}`,
      `${ms[0]!.toFixed(1)} – ${ms.at(-1)!.toFixed(1)}`,
      `${(medianMs / first!.medianMs).toFixed(1)}×`,
    ]),
  )
}
