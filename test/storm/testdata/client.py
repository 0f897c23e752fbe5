# Paho for Python, as a test runs it: client.py PORT VERSION USER PASSWORD ID CLEAN
import sys

import paho.mqtt.client as mqtt

port, version, user, password, client_id, clean = sys.argv[1:]
if version == "5":
    client = mqtt.Client(client_id, protocol=mqtt.MQTTv5)
else:
    client = mqtt.Client(client_id, clean_session=clean == "1", protocol=mqtt.MQTTv311)
client.username_pw_set(user, password)
client.on_connect = lambda c, userdata, flags, code, properties=None: print("connack", code, flush=True)
client.connect("127.0.0.1", int(port))
client.loop_forever()
