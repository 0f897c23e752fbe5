package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"mosquitto-go-auth/test/port"
)

// A Cluster has a few masters and one replica of each.
type Cluster struct {
	Masters, Replicas []*Server // as they were at the start
}

const slots = 16384

// StartCluster starts a Cluster for one test. It fails over only when it is told to, see
// FailOverSoon: to its nodes, a machine that stands still for a second is a lost master.
func StartCluster(t testing.TB, masters int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range masters {
		c.Masters = append(c.Masters, startNode(t, args))
		c.Replicas = append(c.Replicas, startNode(t, args))
	}
	for i, m := range c.Masters {
		m.Do(t, "CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		m.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	var met time.Time
	WaitFor(t, "all nodes to know each other", func() bool {
		if time.Since(met) > 3*time.Second { // those who did not meet within a second have given up
			met = time.Now()
			for _, n := range c.Nodes() {
				n.Do(t, "CLUSTER", "MEET", c.Masters[0].Host(), c.Masters[0].Port(), c.Masters[0].busPort())
			}
		}
		return c.all(t, fmt.Sprintf("cluster_known_nodes:%d\r", 2*masters))
	})
	for i, r := range c.Replicas {
		id := fmt.Sprint(c.Masters[i].Do(t, "CLUSTER", "MYID"))
		WaitFor(t, "a node to know its master", func() bool {
			return strings.Contains(fmt.Sprint(r.Do(t, "CLUSTER", "NODES")), id)
		})
		r.Do(t, "CLUSTER", "REPLICATE", id)
	}
	WaitFor(t, "the Cluster to be well", func() bool { return c.all(t, "cluster_state:ok\r") })
	for _, r := range c.Replicas {
		WaitFor(t, "a replica to follow", func() bool {
			return strings.Contains(fmt.Sprint(r.Do(t, "INFO", "replication")), "master_link_status:up")
		})
	}
	for _, n := range c.Nodes() { // what a client is told by any of them
		WaitFor(t, "all slots to have a replica", func() bool {
			return strings.Count(fmt.Sprint(n.Do(t, "CLUSTER", "NODES")), "slave") == masters
		})
	}
	c.set(t, "cluster-node-timeout", 20_000)
	return c
}

// FailOverSoon has a replica follow a master that is lost within a second or two.
func (c *Cluster) FailOverSoon(t testing.TB) {
	t.Helper()
	c.set(t, "cluster-replica-no-failover", "no")
	c.set(t, "cluster-node-timeout", 500)
}

func (c *Cluster) set(t testing.TB, option string, value any) {
	t.Helper()
	for _, n := range c.Nodes() {
		n.Do(t, "CONFIG", "SET", option, value)
	}
}

func startNode(t testing.TB, args []string) *Server {
	t.Helper()
	return Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(port.Free(t)), "--cluster-node-timeout", "500",
		"--cluster-replica-no-failover", "yes",
		"--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no"}, args...)...)
}

func (s *Server) busPort() int {
	for i, a := range s.args {
		if a == "--cluster-port" {
			port, _ := strconv.Atoi(s.args[i+1])
			return port
		}
	}
	return s.Port() + 10000
}

// all tells whether all nodes say the same of the Cluster.
func (c *Cluster) all(t testing.TB, text string) bool {
	t.Helper()
	for _, n := range c.Nodes() {
		if !strings.Contains(fmt.Sprint(n.Do(t, "CLUSTER", "INFO")), text) {
			return false
		}
	}
	return true
}

// Nodes returns all nodes.
func (c *Cluster) Nodes() []*Server {
	return append(c.Masters[:len(c.Masters):len(c.Masters)], c.Replicas...)
}

// Addresses returns those of all nodes, with commas between them.
func (c *Cluster) Addresses() string {
	var list []string
	for _, n := range c.Nodes() {
		list = append(list, n.Addr())
	}
	return strings.Join(list, ",")
}

// Owner returns which pair of Masters and Replicas has the key's slot.
func (c *Cluster) Owner(t testing.TB, key string) int {
	t.Helper()
	slot := c.Masters[0].Do(t, "CLUSTER", "KEYSLOT", key).(int64)
	for i := range c.Masters {
		if int(slot) < (i+1)*slots/len(c.Masters) {
			return i
		}
	}
	return len(c.Masters) - 1
}

// Do sends a command on a key to the master that had its slot at the start.
func (c *Cluster) Do(t testing.TB, command, key string, args ...any) any {
	t.Helper()
	return c.Masters[c.Owner(t, key)].Do(t, append([]any{command, key}, args...)...)
}
