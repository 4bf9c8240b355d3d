/**
 * `npm run bench -- train|methods|epoch|infer|start|codec [OPTIONS]`: installs and builds what is missing, then
 * `sterna bench …`. For `infer` alone it finds the published checkpoint where the tests find it.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { ensure, hand, root } from './ensure.mjs'

ensure()
const words = process.argv.slice(2)
const shared = process.env.STERNA_SHARED ?? path.join(root, '../shared')
const checkpoint = path.join(shared, 'weights/resnet20_ec2t_spars64.safetensors')
const timesWorkloads = words[0] === 'infer' && !words.slice(1).some(isOwnNetwork)
if (timesWorkloads && existsSync(checkpoint)) words.push('--checkpoint', path.relative('', checkpoint))
hand(path.join(root, 'packages/sterna/bin/sterna.js'), ['bench', ...words])

function isOwnNetwork(word) {
  return word.endsWith('.sterna') || /^--(network|checkpoint|help)/.test(word)
}
