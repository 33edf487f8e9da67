package kernels

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// isa is an implementation. A kernel's direct-call switch over it is the only
// dispatch: calling through a variable would let the caller's buffers escape.
type isa = asm.ISA

const (
	generic    = asm.Generic
	avx2       = asm.AVX2
	avx512     = asm.AVX512
	avx512vbmi = asm.AVX512VBMI
	neon       = asm.NEON
)

var names = [...]string{generic: "generic", avx2: "avx2", avx512: "avx512", avx512vbmi: "avx512vbmi", neon: "neon"}

// Status says of an implementation whether this program can use it here.
type Status struct {
	Name      string
	Available bool
	Reason    string // what it needs if it is available, else what is missing
}

// Registry lists every implementation there is, the slower ones first.
func Registry() []Status {
	all := make([]Status, len(names))
	for i, name := range names {
		all[i] = status(isa(i))
		all[i].Name = name
	}
	return all
}

// Implementations lists the names of those that this program can use here, the
// slower ones first; the first is generic.
func Implementations() []string {
	var available []string
	for _, s := range Registry() {
		if s.Available {
			available = append(available, s.Name)
		}
	}
	return available
}

// Implementation returns the name of the implementation that kernels use. It
// chooses one if none was, and like a kernel it panics if LOWBIT_ISA names one
// that cannot be used.
func Implementation() string { return names[current()] }

// Use makes all kernels use an implementation from now on. If it cannot be used
// here, Use returns an error that says why, and changes nothing.
func Use(name string) error {
	impl, err := find(name)
	if err != nil {
		return fmt.Errorf("kernels: %w", err)
	}
	choose(impl, byUse)
	return nil
}

// Why says how the implementation was chosen, as in "avx512: the fastest that
// can be used here".
func Why() string {
	current()
	c := chosen.Load()
	how := "the fastest that can be used here"
	switch c >> 8 & 0xff {
	case byUse:
		how = "asked for by the program"
	case byEnvironment:
		how = "asked for by LOWBIT_ISA"
	}
	return names[isa(c)] + ": " + how
}

// chosen is the implementation, above it how it was chosen, and above that the number
// of elements up to which a call is small; 0 before that.
var chosen atomic.Uint32

const smallShift = 16

const (
	bySpeed = iota + 1
	byEnvironment
	byUse
)

// choosing is locked by who changes what is chosen.
var choosing sync.Mutex

func choose(impl isa, how uint32) {
	choosing.Lock()
	defer choosing.Unlock()
	chosen.Store(uint32(smallMost(impl))<<smallShift | how<<8 | uint32(impl))
}

// current returns the implementation to use.
func current() isa {
	if c := chosen.Load(); c != 0 {
		return isa(c)
	}
	return first()
}

// first chooses an implementation, unless another goroutine did already.
func first() isa {
	impl, how := generic, uint32(bySpeed)
	if name, ok := os.LookupEnv("LOWBIT_ISA"); ok && name != "" {
		var err error
		if impl, err = find(name); err != nil {
			panic("kernels: LOWBIT_ISA: " + err.Error())
		}
		how = byEnvironment
	} else {
		for i := range names {
			if status(isa(i)).Available {
				impl = isa(i)
			}
		}
	}
	choosing.Lock()
	defer choosing.Unlock()
	chosen.CompareAndSwap(0, uint32(smallMost(impl))<<smallShift|how<<8|uint32(impl))
	return isa(chosen.Load())
}

// find returns the available implementation of that name.
func find(name string) (isa, error) {
	for i, n := range names {
		if n != name {
			continue
		}
		if s := status(isa(i)); !s.Available {
			return 0, fmt.Errorf("implementation %q is not available: %s", name, s.Reason)
		}
		return isa(i), nil
	}
	return 0, fmt.Errorf("unknown implementation %q, want one of %s", name, strings.Join(names[:], ", "))
}

// status tells whether an implementation is available, and why.
func status(impl isa) Status {
	if impl == generic {
		return Status{Available: true, Reason: "portable Go"}
	}
	var needs, missing []string
	for _, f := range features {
		if f.of[impl] {
			needs = append(needs, f.name)
			if !*f.present {
				missing = append(missing, f.name)
			}
		}
	}
	switch {
	case len(missing) > 0:
		return Status{Reason: "the CPU or the system lacks " + strings.Join(missing, ", ")}
	case len(needs) > 0:
		return Status{Available: true, Reason: "needs " + strings.Join(needs, ", ")}
	}
	return Status{Reason: absent}
}

// Feature is something a CPU may have and an implementation may need.
type Feature struct {
	Name    string
	Present bool
}

// Features lists the features of the CPU that the choice depends on; none if
// the program has the portable implementation alone.
func Features() []Feature {
	list := make([]Feature, len(features))
	for i, f := range features {
		list[i] = Feature{f.name, *f.present}
	}
	return list
}

// feature is a Feature with the implementations that use it.
type feature struct {
	name    string
	present *bool
	of      map[isa]bool
}
