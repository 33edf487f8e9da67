package checkpoint

import "sync"

// shared are values that the pieces of a part of a tensor have in common, one for each part. Who asks for one while it is not there takes part in making
// it. It is forgotten when all elements of its part are done: a plan has all tensors of a model, and keeps nothing that grows with them.
type shared[A, V any] struct {
	mu     sync.Mutex
	values map[int]*sharedValue[A, V]
}

// sharedValue is a value in the making, and what jobs have found out for it so far.
type sharedValue[A, V any] struct {
	mu      sync.Mutex
	begun   bool
	found   A
	jobs    int // how many have to be done
	next    int // the first that nobody has begun
	running int
	ready   chan struct{} // is closed when the value or an error is there
	value   V
	err     error

	done int // elements
}

// maker makes a value: begin says how many jobs have to be done first. Jobs may be done side by side.
type maker[A, V any] struct {
	begin func(found *A) (jobs int, err error)
	do    func(found *A, job int) error
	end   func(found *A) (V, error)
}

// of returns the value of a part.
func (s *shared[A, V]) of(part int, m maker[A, V]) (V, error) {
	v := s.entry(part)
	v.mu.Lock()
	if !v.begun {
		v.begun = true
		v.jobs, v.err = m.begin(&v.found)
	}
	for v.err == nil && v.next < v.jobs {
		job := v.next
		v.next++
		v.running++
		v.mu.Unlock()
		err := m.do(&v.found, job)
		v.mu.Lock()
		v.running--
		if v.err == nil {
			v.err = err
		}
	}
	select {
	case <-v.ready:
	default:
		if v.running == 0 {
			if v.err == nil {
				v.value, v.err = m.end(&v.found)
			}
			close(v.ready)
		}
	}
	v.mu.Unlock()
	<-v.ready
	return v.value, v.err
}

func (s *shared[A, V]) entry(part int) *sharedValue[A, V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[part]
	if v == nil {
		if s.values == nil {
			s.values = map[int]*sharedValue[A, V]{}
		}
		v = &sharedValue[A, V]{ready: make(chan struct{})}
		s.values[part] = v
	}
	return v
}

// done tells that n elements of a part, which has so many in all, do not need its value any more.
func (s *shared[A, V]) done(part, n, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.values[part]; v != nil {
		if v.done += n; v.done >= all {
			delete(s.values, part)
		}
	}
}
