package checkpoint

import "sync"

// shared are values that the pieces of a part of a tensor have in common, one for each part. Who asks for one first makes it. It is forgotten when
// all elements of its part are done: a plan has all tensors of a model, and keeps nothing that grows with them.
type shared[V any] struct {
	mu     sync.Mutex
	values map[int]*sharedValue[V]
}

type sharedValue[V any] struct {
	once  sync.Once
	value V
	err   error
	done  int // elements
}

// of returns the value of a part.
func (s *shared[V]) of(part int, make func() (V, error)) (V, error) {
	v := s.entry(part)
	v.once.Do(func() { v.value, v.err = make() })
	return v.value, v.err
}

func (s *shared[V]) entry(part int) *sharedValue[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[part]
	if v == nil {
		if s.values == nil {
			s.values = map[int]*sharedValue[V]{}
		}
		v = new(sharedValue[V])
		s.values[part] = v
	}
	return v
}

// done tells that n elements of a part, which has so many in all, do not need its value any more.
func (s *shared[V]) done(part, n, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.values[part]; v != nil {
		if v.done += n; v.done >= all {
			delete(s.values, part)
		}
	}
}
