package main

import (
	"sync"
	"testing"
)

// Whatever comes from many threads is started, each once, also where more comes than
// there is room for, and where the eventfd fails.
func TestStarter(t *testing.T) {
	broken := newStarter()
	broken.broken.Store(true)
	for name, s := range map[string]*starter{"eventfd": newStarter(), "broken": broken} {
		t.Run(name, func(t *testing.T) {
			const threads, each = 8, 3 * startRoom
			var mu sync.Mutex
			var done sync.WaitGroup
			runs := make([]int, threads*each)
			done.Add(len(runs))
			for i := range threads {
				go func() {
					for k := range each {
						s.start(func() {
							mu.Lock()
							runs[i*each+k]++
							mu.Unlock()
							done.Done()
						})
					}
				}()
			}
			done.Wait()
			for i, n := range runs {
				if n != 1 {
					t.Fatalf("function %d ran %d times", i, n)
				}
			}
		})
	}
}

// What comes one by one is started each time.
func TestStarterOneByOne(t *testing.T) {
	s, ran := newStarter(), make(chan int)
	for i := range 10000 {
		s.start(func() { ran <- i })
		if got := <-ran; got != i {
			t.Fatalf("function %d ran, want %d", got, i)
		}
	}
	if s.broken.Load() {
		t.Error("the eventfd is broken")
	}
}
