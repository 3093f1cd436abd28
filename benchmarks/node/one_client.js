// Provisions devices with Microsoft's azure-iot-provisioning-device; prints what it cost.
//
//     node one_client.js node:rest|node:mqtt SERVER FOLDER AT_ONCE SECONDS DEVICES
//
// Says and prints what one_client.py does. It trusts what NODE_EXTRA_CA_CERTS names, and knows no ports but 443 and 8883.

'use strict';

const fs = require('fs');
const path = require('path');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { Mqtt } = require('azure-iot-provisioning-device-mqtt');
const { X509Security } = require('azure-iot-security-x509');

const [name, serverJson, folder, atOnceText, seconds, fixed] = process.argv.slice(2);
const server = JSON.parse(serverJson);
const atOnce = Number(atOnceText);
const Transport = name === 'node:rest' ? Http : Mqtt;
const WARM_UP = 0.5;
const TICKS = 100; // of Linux, a second
const devices = fs.readdirSync(folder).filter((each) => each.endsWith('_chain.pem')).sort();

function register(chain) {
  const id = chain.slice(0, -'_chain.pem'.length);
  const security = new X509Security(id, {
    cert: fs.readFileSync(path.join(folder, chain), 'utf8'),
    key: fs.readFileSync(path.join(folder, `${id}_key.pem`), 'utf8'),
  });
  const client = ProvisioningDeviceClient.create(server.host, server.id_scope, new Transport(), security);
  return new Promise((resolve, reject) => {
    client.register((error) => (error ? reject(error) : resolve()));
  });
}

async function provision(count) {
  let begun = 0;
  const one = async () => {
    while (begun < count) {
      begun += 1;
      await register(devices[(begun - 1) % devices.length]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

function soFar() {
  const { user, system } = process.cpuUsage();
  const fields = fs.readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(')').pop().trim().split(' ');
  return {
    client: (user + system) / 1e6,
    server: (Number(fields[11]) + Number(fields[12])) / TICKS,
    wall: Number(process.hrtime.bigint()) / 1e9,
  };
}

async function warmUp() {
  const began = soFar().wall;
  let count = 0;
  let passed = 0;
  while (passed < WARM_UP) {
    await provision(atOnce);
    count += atOnce;
    passed = soFar().wall - began;
  }
  return count / passed;
}

async function measure() {
  let count = Number(fixed);
  if (count) {
    await provision(Math.min(atOnce, 20));
  } else {
    count = Math.max(2 * atOnce, Math.floor(1.2 * Number(seconds) * (await warmUp())));
  }
  const before = soFar();
  await provision(count);
  const after = soFar();
  const [client, ofServer, wall] = ['client', 'server', 'wall'].map((each) => after[each] - before[each]);
  return {
    devices: count,
    cpu_ms: client / count * 1000,
    server_ms: ofServer / count * 1000,
    wall_s: wall,
    per_s: count / wall,
    busy: client / wall * 100,
    server_busy: ofServer / wall * 100,
  };
}

function end(error) {
  console.error(error);
  process.exit(1);
}

register(devices[0]).then(() => {
  console.log('ready');
  process.stdin.once('data', () => {
    measure().then((facts) => {
      fs.writeSync(1, `${JSON.stringify(facts)}\n`);
      process.exit(0);
    }, end);
  });
}, end);
