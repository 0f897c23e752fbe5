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
	defer broken.close()
	for name, s := range map[string]*starter{"eventfd": newStarter(), "broken": broken} {
		t.Run(name, func(t *testing.T) {
			defer s.close()
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
	defer s.close()
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

// What comes while the starter is closed, and after that, is started too.
func TestStarterClosed(t *testing.T) {
	for range 200 {
		s := newStarter()
		var done sync.WaitGroup
		done.Add(100)
		go func() {
			for range 100 {
				s.start(done.Done)
			}
		}()
		s.close()
		done.Wait()
		s.close()
	}
}
