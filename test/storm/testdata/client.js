// MQTT.js, as a test runs it: client.js LIBRARY PORT VERSION USER PASSWORD ID CLEAN [OPTION...]
const [library, port, version, username, password, clientId, clean, ...set] = process.argv.slice(2)
const options = { port: Number(port), protocolVersion: Number(version), username, password, clientId, clean: clean === '1' }
for (const option of set) options[option] = true
const client = require(library).connect('mqtt://127.0.0.1', options)
client.on('connect', () => console.log('connack 0'))
client.on('error', (err) => console.log('error', err.code, err.message))
