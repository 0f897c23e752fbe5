// MQTT.js over websockets: websocket.js LIBRARY URL USER PASSWORD
// It logs in, subscribes to USER/web, publishes there, and says what it receives.
const [library, url, username, password] = process.argv.slice(2)
const client = require(library).connect(url, { username, password, reconnectPeriod: 100 })
const end = (text) => { console.log(text); client.end(true) }
client.on('error', (err) => end(`error ${err.code}`))
client.on('message', (topic, payload) => end(`${topic} ${payload}`))
client.on('connect', () => client.subscribe(`${username}/web`, { qos: 1 },
  (err, granted) => err || granted[0].qos > 2 ? end('not granted') : client.publish(`${username}/web`, 'hello')))
