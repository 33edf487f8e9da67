package quant

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// registry maps the names that a Spec may give to constructors.
type registry[I any] struct {
	mu   sync.RWMutex
	news map[string]func() I
}

// register panics on what only a programmer can get wrong, as database/sql does.
func (r *registry[I]) register(name string, new func() I) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.news[name]; taken || name == "" || new == nil {
		panic(fmt.Sprintf("quant: cannot register %q: the name is taken or empty, or the constructor is nil", name))
	}
	r.news[name] = new
}

func (r *registry[I]) check(field, name string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.news[name]; !ok {
		return specError(field, name, oneOf(slices.Sorted(maps.Keys(r.news))))
	}
	return nil
}

// new returns a new I; the name was checked.
func (r *registry[I]) new(name string) I {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.news[name]()
}
