package plugin

import "sync"

// alarm passes the wish for a Tick on to the host until the engine is closed:
// after that, no worker calls the host.
type alarm struct {
	mu   sync.RWMutex
	wake func() // nil when the engine is closed
}

func (a *alarm) ring() {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.wake != nil {
		a.wake()
	}
}

func (a *alarm) silence() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wake = nil
}
