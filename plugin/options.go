package plugin

import (
	"slices"
	"strings"
	"time"

	"mosquitto-go-auth/backends"
	"mosquitto-go-auth/conf"
	"mosquitto-go-auth/hashing"
)

// options are the values of all options that are not a backend's own.
type options struct {
	backends         []string
	register         map[string]*[]string // by the driver's name
	salt             map[string]*string   // likewise
	disableSuperuser bool
	superusers       string
	checkPrefix      bool
	stripPrefix      bool
	prefixes         []string
	clientIDAsName   bool
	denySpecial      bool
	dollar           bool
	generalSalt      string
	memo             bool
	memoSeconds      time.Duration
	delay            string
	authTimeout      time.Duration
	loginWait        time.Duration
	refresh          time.Duration
	maxStale         time.Duration
	profilesMax      int
	refreshRate      int
	fetchLimit       int
	hashLimit        int
	queueMax         int
	addressMax       int
	limits           hashing.Limits
	log              logOptions
}

type logOptions struct{ level, dest, file string }

var levels = map[string]Level{"debug": Debug, "info": Info, "notice": Notice, "warn": Warning,
	"warning": Warning, "error": Error, "fatal": Error, "panic": Error}

// Declare adds the engine's options, and those of the drivers, to a set.
func Declare(s *conf.Set, drivers []backends.Driver) (*options, map[string]backends.Open) {
	o := &options{register: map[string]*[]string{}, salt: map[string]*string{}, limits: hashing.DefaultLimits()}
	o.declareChain(s, drivers)
	o.declareNames(s)
	o.declareLogins(s)
	o.declareRights(s)
	o.declareHashes(s, drivers)
	o.declareLog(s)
	declareFormer(s, drivers)
	open := map[string]backends.Open{}
	for _, d := range drivers {
		s.Group(d.Name)
		open[d.Name] = d.Declare(s)
	}
	return o, open
}

func (o *options) declareChain(s *conf.Set, drivers []backends.Driver) {
	s.Group("general")
	s.List(&o.backends, "backends", "the backends, in the order in which they are asked")
	for _, d := range drivers {
		o.register[d.Name] = &[]string{"user", "superuser", "acl"}
		s.Var(&checksValue{o.register[d.Name]}, d.Prefix+"_register", "list of user, superuser, acl",
			"what "+d.Name+" is asked for")
	}
	s.Bool(&o.disableSuperuser, "disable_superuser", false, "no user is a superuser, whatever a backend says")
	s.String(&o.superusers, "superusers", "", "a pattern with * and ?: users whose names match may do everything")
	s.Bool(&o.checkPrefix, "check_prefix", false, "a name PREFIX_REST is looked up only in the backend with that prefix")
	s.List(&o.prefixes, "prefixes", "one prefix for each of the backends, in their order")
	s.Bool(&o.stripPrefix, "strip_prefix", false, "the backend is asked for REST only")
}

func (o *options) declareNames(s *conf.Set) {
	s.Bool(&o.clientIDAsName, "use_clientid_as_username", false, "the client id is the user name; the password still counts")
	s.Bool(&o.denySpecial, "deny_special_chars", true, "user names and client ids with + or # are refused")
}

func (o *options) declareLogins(s *conf.Set) {
	s.Choice(&o.delay, "delay_logins", "auto", []string{"auto", "never"},
		"whether the broker goes on with others while a login is being checked, where it safely can")
	s.Duration(&o.authTimeout, "auth_timeout", 5*time.Second, 100*time.Millisecond, time.Minute,
		"how long a question to a store may take; a login that will take longer is told to come back")
	s.Duration(&o.loginWait, "login_wait", 0, 0, creditMax,
		"how long the broker may wait for one login that it cannot delay; 0: twice the time of one hash, 100 to 250 ms")
	s.Int(&o.fetchLimit, "fetch_limit", 32, 1, 1000, "how many questions to stores are under way at once")
	s.Int(&o.hashLimit, "hash_limit", 0, 0, 1000, "how many hashes are computed at once; 0: one less than the processors")
	s.Int(&o.addressMax, "address_max", 250, 1, 100000, "how many logins from one address may be under way or waiting")
	s.Int(&o.queueMax, "queue_max", 1000, 1, 100000, "how many logins and refreshes may be under way or waiting")
}

func (o *options) declareRights(s *conf.Set) {
	a := s.Duration(&o.refresh, "acl_cache_seconds", 30*time.Second, 0, 24*time.Hour,
		"how old rights may be before they are fetched again")
	s.Also(a, "acl_cacheseconds", "cacheseconds")
	s.Int(&o.refreshRate, "refresh_rate", 500, 1, 1000000, "how many users' rights are fetched again in a second, at most")
	s.Duration(&o.maxStale, "max_stale", time.Hour, 0, 365*24*time.Hour,
		"how long rights outlive a store that does not answer; 0: for ever")
	s.Int(&o.profilesMax, "profiles_max", 200000, 1, 100000000, "how many users' rights are kept in memory")
	s.Bool(&o.dollar, "wildcards_match_dollar", false,
		"+ and # in a rule match topics that begin with $, as mosquitto-go-auth had it")
}

func (o *options) declareHashes(s *conf.Set, drivers []backends.Driver) {
	salts := []string{"both", "base64", "utf-8"}
	const doc = "how the salt of a classic PBKDF2 hash is read"
	s.Choice(&o.generalSalt, "hasher_salt_encoding", "both", salts, doc)
	for _, d := range drivers {
		o.salt[d.Name] = new(string)
		s.Choice(o.salt[d.Name], d.Prefix+"_hasher_salt_encoding", "", salts, doc+", for "+d.Name)
	}
	s.Bool(&o.memo, "hash_memo", true, "remember, under a random key, which password a stored hash has verified")
	s.Duration(&o.memoSeconds, "hash_memo_seconds", 10*time.Minute, time.Second, 24*time.Hour, "for how long")
	s.Int(&o.limits.BcryptCost, "hash_max_bcrypt_cost", o.limits.BcryptCost, 4, 31, "stored hashes that cost more are refused")
	s.Int(&o.limits.PBKDF2Iterations, "hash_max_pbkdf2_iterations", o.limits.PBKDF2Iterations, 1, 1<<31-1, "likewise")
	s.Int(&o.limits.Argon2Memory, "hash_max_argon2_memory", o.limits.Argon2Memory, 8, 1<<31-1, "likewise, in KiB")
	s.Int(&o.limits.Argon2Time, "hash_max_argon2_time", o.limits.Argon2Time, 1, 1<<31-1, "likewise, in passes over the memory")
	s.Int(&o.limits.ScryptMemory, "hash_max_scrypt_memory", o.limits.ScryptMemory, 1, 1<<31-1,
		"likewise, in KiB, counted once for each p: N × r × p / 8")
	s.Int(&o.limits.SHACryptRounds, "hash_max_shacrypt_rounds", o.limits.SHACryptRounds, 1000, 999_999_999, "likewise")
}

func (o *options) declareLog(s *conf.Set) {
	words := []string{"debug", "info", "notice", "warn", "warning", "error", "fatal", "panic"}
	s.Choice(&o.log.level, "log_level", "info", words, "the least important lines that are logged")
	s.Choice(&o.log.dest, "log_dest", "mosquitto", []string{"mosquitto", "stderr", "stdout", "file"}, "where they go")
	s.String(&o.log.file, "log_file", "", "the file for log_dest file; it may be Mosquitto's own")
	s.Choice(new(string), "unknown_options", "refuse", []string{"refuse", "warn"}, "what an unknown option does: it stops the start, or is warned of")
}

// declareFormer names what the predecessors had and we have not.
func declareFormer(s *conf.Set, drivers []backends.Driver) {
	s.Retire("rights are kept in memory and refreshed, and no password is ever kept (see acl_cache_seconds, hash_memo)",
		"cache", "cache_type", "cache_reset", "cache_refresh", "cache_mode", "cache_host", "cache_port", "cache_password",
		"cache_db", "cache_addresses", "auth_cache_seconds", "auth_cacheseconds", "auth_jitter_seconds",
		"auth_jitter_second", "acl_jitter_seconds", "auth_cachejitter", "auth_cacheijitter", "acl_cachejitter")
	for _, name := range []string{"hasher", "hasher_cost", "hasher_iterations", "hasher_keylen", "hasher_salt_size",
		"hasher_algorithm", "hasher_memory", "hasher_parallelism", "salt_size"} {
		const why = "a stored hash is recognised by its shape; new ones are made by the command go-auth hash"
		s.Retire(why, name)
		for _, d := range drivers {
			s.Retire(why, d.Prefix+"_"+name)
		}
	}
	s.Retire("a store that is down is asked again until it answers", "retry_count")
	s.Retire("a right is granted if any backend grants it, so the order of questions no longer shows", "exhaust_backend_first")
	s.Retire("use log_level", "log_quiet")
	s.Retire("the rules for anonymous clients stand in acl_file, before the first user", "anonusername")
	s.Retire("set allow_anonymous itself, an option of Mosquitto", "allow_anonymous")
	s.Refuse("this backend is not in this version", "cdbname", "cdbpath", "dbpath", "psk_database", "binddn", "bindpw")
	s.RefusePrefix("this backend is not in this version",
		"sqlite_", "sqlite", "http_", "jwt_", "mongo_", "grpc_", "js_", "ldap_", "memcached_", "plugin_")
}

// missing are the backends of the predecessors that are not here.
var missing = []string{"jwt", "http", "sqlite", "mongo", "plugin", "grpc", "js", "ldap", "cdb", "memcached", "psk"}

// checksValue is a list of checks.
type checksValue struct{ list *[]string }

func (v *checksValue) String() string {
	if v.list == nil {
		return ""
	}
	return strings.Join(*v.list, ", ")
}

func (v *checksValue) Set(s string) error {
	var l []string
	for w := range strings.SplitSeq(s, ",") {
		w = strings.TrimSpace(w)
		if !slices.Contains([]string{"user", "superuser", "acl"}, w) {
			return errChecks
		}
		l = append(l, w)
	}
	*v.list = l
	return nil
}
