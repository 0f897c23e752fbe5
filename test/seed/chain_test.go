package seed

import (
	"testing"

	"mosquitto-go-auth/hashing"
	"mosquitto-go-auth/test/brokertest"
	"mosquitto-go-auth/test/mqtt"
)

// passwords is a password file whose users all have password.
func passwords(names ...string) brokertest.Option {
	text := ""
	for _, name := range names {
		text += name + ":" + cheap() + "\n"
	}
	return brokertest.File("passwords", text)
}

const passwordFile = "\npassword_file {{.Dir}}/passwords\n"

// filesPassword is the password, and its hash, of users in files that have
// another one in MySQL.
const filesPassword = "the-other-one"

func otherPassword(t *testing.T, name string) brokertest.Option {
	t.Helper()
	maker, err := hashing.New("bcrypt", hashing.Params{Cost: 4})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := maker.Make(filesPassword)
	if err != nil {
		t.Fatal(err)
	}
	return brokertest.File("passwords", name+":"+hash+"\n")
}

// The backends are asked in their order; an unknown user and a wrong password
// move on to the next.
func TestChainOrder(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "both", "db")
		for _, order := range []struct{ backends, first string }{{"files, mysql", "files"}, {"mysql,files", "mysql"}} {
			broker := start(t, b, "backends "+order.backends+"\nlog_level debug\nlog_dest stderr"+passwordFile+s.options(), passwords("both", "file"))
			login(t, broker, "both")
			logs(t, broker, `client "both", address 127.0.0.1: accepted, password right (`+order.first+")")
			login(t, broker, "file")
			login(t, broker, "db")
			broker.Stop()
		}
		broker := start(t, b, "backends files, mysql"+passwordFile+s.options(), otherPassword(t, "both"))
		login(t, broker, "both")
		mqtt.Login(t, broker.Addr, with("both", filesPassword))
		refused(t, broker, with("both", "neither"))
	})
}

// Each backend is asked only for what it is registered for.
func TestRegister(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "ann", "db", "boss")
		s.exec(t, "UPDATE mqtt_user SET is_admin = 1 WHERE username IN ('ann', 'boss')")
		s.grant(t, "ann", "of/%u", 7)
		for _, test := range []struct {
			options           string
			boss, own, others string // what boss may do anywhere, and ann on her topic and elsewhere
		}{
			{"mysql_register acl", "---", "rws", "---"},
			{"mysql_register acl, superuser", "rws", "rws", "rws"},
			{"mysql_register superuser", "rws", "rws", "rws"},
			{"mysql_register acl,superuser\ndisable_superuser true", "---", "rws", "---"},
		} {
			t.Run(test.options, func(t *testing.T) {
				broker := start(t, b, "backends files, mysql\nfiles_register user\nsuperusers root\n"+test.options+passwordFile+s.options(),
					passwords("ann", "boss", "root"))
				root, ann := login(t, broker, "root"), login(t, broker, "ann")
				expect(t, login(t, broker, "boss"), root, "anything", test.boss)
				expect(t, ann, root, "of/ann", test.own)
				expect(t, ann, root, "of/boss", test.others)
				refused(t, broker, user("db")) // MySQL is not asked about passwords
			})
		}
	})
}

// Without an aclquery everything is allowed, but only to the users of that
// database.
func TestMissingACLQuery(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "db")
		broker := start(t, b, "backends files, mysql"+passwordFile+s.connection()+userquery, passwords("file"))
		logs(t, broker, "mysql_aclquery is not set: everything is allowed")
		db, file := login(t, broker, "db"), login(t, broker, "file")
		expect(t, db, db, "anything", "rws")
		expect(t, file, db, "anything", "---")
	})
}

// A name with a backend's prefix is looked up there only.
func TestPrefixes(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "ann", "db_ann")
		s.grant(t, "ann", "stripped/%u", 7)
		s.grant(t, "db_ann", "whole/%u", 7)
		for strip, topic := range map[string]string{"true": "stripped/ann", "false": "whole/db_ann"} {
			t.Run("strip_prefix "+strip, func(t *testing.T) {
				broker := start(t, b, "backends files, mysql\ncheck_prefix true\nprefixes file, db\nsuperusers root\nstrip_prefix "+strip+
					passwordFile+s.options(), passwords("ann", "file_ann", "root", "fileonly"))
				root, ann := login(t, broker, "root"), login(t, broker, "db_ann")
				expect(t, ann, root, topic, "rws")
				expect(t, ann, root, "other/ann", "---")
				login(t, broker, "file_ann")
				refused(t, broker, user("db_fileonly"))
				refused(t, broker, user("file_db"))
				refused(t, broker, user("no_ann"))
			})
		}
	})
}

// A client's id takes the place of its user name, for the login and the rights.
func TestClientIDAsUsername(t *testing.T) {
	brokertest.Each(t, func(t *testing.T, b brokertest.Broker) {
		t.Parallel()
		s := newStore(t)
		s.addUser(t, "device", "ann", "root")
		s.grant(t, "device", "of/%u/%c", 7)
		s.grant(t, "ann", "ann", 7)
		broker := start(t, b, "backends mysql\nuse_clientid_as_username true\nsuperusers root\n"+s.options())
		root := login(t, broker, "root")
		for _, version := range []byte{4, 5} {
			o := mqtt.As("ann", password)
			o.ID, o.Version = "device", version
			c := mqtt.Login(t, broker.Addr, o)
			expect(t, c, root, "of/device/device", "rws")
			expect(t, c, root, "ann", "---")
			o.ID = "unknown"
			refused(t, broker, o)
			o.ID, o.Password = "device", []byte("wrong")
			refused(t, broker, o)
			o = mqtt.As("root", password)
			o.ID, o.Version = "device", version
			expect(t, mqtt.Login(t, broker.Addr, o), root, "anything", "---")
		}
	})
}
