package kernels

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// assembled returns the implementations besides the portable one.
func assembled(t testing.TB) []string {
	list := Implementations()[1:]
	if len(list) == 0 {
		t.Skip("there is none but the portable implementation")
	}
	was := Implementation()
	t.Cleanup(func() { require.NoError(t, Use(was)) })
	return list
}

// TestDifferential holds every kernel of every implementation against the
// portable one: all lengths up to several vectors, all offsets, many grids, in
// place, beside pages without access.
func TestDifferential(t *testing.T) {
	implementations := assembled(t)
	r := newSource(1)
	l := newLab()
	share := effort(30, 4, 1) // of the grids each kernel has its own
	for number, k := range table {
		t.Run(k.name, func(t *testing.T) {
			try := func(g Grid, places []place) {
				l.prepare(r, &k, g)
				for _, name := range implementations {
					require.NoError(t, Use(name))
					l.hold(t, places...)
				}
			}
			for range effort(1, 1, 5) {
				for n := 0; n <= 300; n += effort(1+n/10, 1, 1) {
					try(Grid{1, 1, n}, []place{{atEnd: true}, {offset: n % 64}})
				}
				for _, n := range []int{1, 15, 16, 17, 64, 100, 129} {
					var all []place
					for offset := 0; offset < 64; offset += effort(7, 1, 1) {
						all = append(all, place{offset: offset}, place{offset: offset, atEnd: true})
					}
					try(Grid{1, 1, n}, all)
				}
				for i, g := range grids {
					if !k.flat && i%share == number%share {
						try(g, []place{{atEnd: true}, {offset: i % 64}})
					}
				}
				for _, g := range []Grid{{1, 1, 20000}, {1, 300, 33}, {2, 513, 16}, {3, 1025, 1}, {2, 3, 2049}, {1, 512, 32}, {2, 3, 640}, {1, 4, 512}} {
					if k.flat {
						g = Grid{1, 1, elements(g)}
					}
					try(g, []place{{atEnd: true}})
				}
			}
		})
	}
}

// grids are rows of groups of every kind of length.
var grids = func() (all []Grid) {
	for _, length := range []int{1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 49, 63, 64, 65, 96, 100, 127, 128, 129, 130, 160, 192, 300, 320, 1000} {
		for _, count := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16, 17, 31, 33, 50, 64, 65, 70, 130} {
			for rows := 1; rows <= 3; rows++ {
				if g := (Grid{rows, count, length}); elements(g) <= 2400 {
					all = append(all, g)
				}
			}
		}
	}
	return append(all, Grid{0, 3, 5}, Grid{2, 0, 5}, Grid{2, 3, 0}, Grid{})
}()

// place says where operands lie between their guards, in elements.
type place struct {
	offset int
	atEnd  bool
	apart  int // how much further the results lie that are not the first
}

// lab runs trials of a kernel.
type lab struct {
	arenas []*arena
	kernel *kernel
	memory [][]byte // of the operands of given
	given  trial    // inputs, and results of the portable implementation
	placed [][]byte // operands of a call, between their guards
}

func newLab() *lab {
	l := &lab{}
	for range 6 {
		l.arenas = append(l.arenas, newArena())
	}
	return l
}

// allot makes memory for the operands of a kernel.
func (l *lab) allot(k *kernel, g Grid) {
	l.kernel = k
	l.given.grid = g
	l.given.mem = l.given.mem[:0]
	for i, o := range k.operands {
		n := o.len(g) * o.elem.size
		if i == len(l.memory) {
			l.memory = append(l.memory, nil)
		}
		if len(l.memory[i]) < n {
			l.memory[i] = view4(make([]float32, (n+3)/4)) // aligned
		}
		l.given.mem = append(l.given.mem, l.memory[i][:n])
		clear(l.memory[i][:n])
	}
}

// prepare makes inputs for a grid, and their results.
func (l *lab) prepare(r *source, k *kernel, g Grid) {
	l.allot(k, g)
	if len(k.formats) > 0 {
		f := k.formats[r.IntN(len(k.formats))]
		l.given.min, l.given.max = f.Min, f.Max
	}
	r.mood()
	k.fill(r, &l.given)
	k.oracle(&l.given)
}

// hold calls the kernel with operands at each place, and ends the test where results are wrong.
func (l *lab) hold(t *testing.T, places ...place) {
	for _, p := range places {
		if err := l.try(p); err != nil {
			t.Helper()
			t.Fatalf("%s: %+v, %+v: %v", Implementation(), l.given.grid, p, err)
		}
	}
}

// try calls the kernel with operands at a place, in place too if it can be, and
// returns what is wrong with the results.
func (l *lab) try(p place) error {
	if err := l.call(p, false); err != nil || !l.kernel.inPlace {
		return err
	}
	if err := l.call(p, true); err != nil {
		return fmt.Errorf("in place: %w", err)
	}
	return nil
}

func (l *lab) call(p place, inPlace bool) (err error) {
	l.placed = append(l.placed[:0], l.given.mem...)
	t := trial{l.given.grid, l.given.min, l.given.max, l.placed}
	for i, o := range l.kernel.operands {
		offset := p.offset
		if o.out && i > 0 {
			offset += p.apart
		}
		t.mem[i] = l.arenas[i].place(len(l.given.mem[i]), offset*o.elem.size, p.atEnd)
		if !o.out {
			copy(t.mem[i], l.given.mem[i])
		} else {
			fill(t.mem[i])
		}
	}
	if inPlace {
		t.mem[0] = t.mem[1]
	}
	if err := protect(func() { l.kernel.run(&t) }); err != nil {
		return err
	}
	for i, o := range l.kernel.operands {
		if inPlace && i == 1 {
			continue
		}
		if at := differ(o.elem, t.mem[i], l.given.mem[i]); at >= 0 {
			if !o.out {
				return fmt.Errorf("%s[%d] was written", o.name, at)
			}
			return l.explain(o, at, t.mem[i], l.given.mem[i])
		}
		if err := l.arenas[i].check(); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// explain says what an element should have been, and from what.
func (l *lab) explain(o operand, at int, got, want []byte) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s[%d]=%#x, want %#x, codes %d..%d", o.name, at, word(got, o.elem.size, at), word(want, o.elem.size, at), l.given.min, l.given.max)
	for i, other := range l.kernel.operands {
		size := other.elem.size
		n := len(l.given.mem[i]) / size
		if other.out || n == 0 {
			continue
		}
		k := min(at, n-1)
		if n == l.given.grid.Groups && l.given.grid.Len > 0 {
			k, _ = l.given.grid.group(at)
		}
		fmt.Fprintf(&b, ", %s[%d]=%#x", other.name, k, word(l.given.mem[i], size, k))
	}
	return fmt.Errorf("%s", b.String())
}

// protect turns a fault into an error.
func protect(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	f()
	return nil
}

// differ returns the index of the first element whose bits are not the same, or -1.
func differ(e elem, got, want []byte) int {
	if bytes.Equal(got, want) {
		return -1
	}
	for i := range len(want) / e.size {
		if word(got, e.size, i) != word(want, e.size, i) {
			return i
		}
	}
	return -1
}

// word returns the bits of an element.
func word(b []byte, size, i int) uint32 {
	switch b = b[i*size:]; size {
	case 4:
		return binary.NativeEndian.Uint32(b)
	case 2:
		return uint32(binary.NativeEndian.Uint16(b))
	}
	return uint32(b[0])
}

// TestHarness shows that the harness finds what it is there to find.
func TestHarness(t *testing.T) {
	k := table[slices.IndexFunc(table, func(k kernel) bool { return k.name == "FakeQuantizeInt/f32/zp/bytemask" })]
	honest := k.run
	l, r := newLab(), newSource(2)
	for _, c := range []struct {
		want string
		run  func(t *trial)
	}{
		{"dst[3]", func(t *trial) { mem[float32](t, 0)[3]++ }},
		{"mask[4]", func(t *trial) { t.mem[5][4] ^= 1 }},
		{"mask[9]", func(t *trial) { t.mem[5][9] = 2 }},
		{"src[0] was written", func(t *trial) { t.mem[1][0]++ }},
		{"zeroPoint[0] was written", func(t *trial) { t.mem[3][1]++ }},
		{"dst: memory behind it was written", func(t *trial) { l.arenas[0].data[l.arenas[0].at+len(t.mem[0])+3] = 0 }},
		{"mask: memory before it was written", func(t *trial) { l.arenas[5].data[l.arenas[5].at-99] = 0 }},
		{"index out of range", func(t *trial) { _ = t.mem[0][len(t.mem[0])] }},
	} {
		k.run = func(t *trial) {
			honest(t)
			c.run(t)
		}
		l.prepare(r, &k, Grid{1, 5, 2})
		copy(mem[float32](&l.given, 1), []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
		copy(mem[float32](&l.given, 2), []float32{1, 1, 1, 1, 1})
		k.oracle(&l.given)
		require.ErrorContains(t, l.call(place{offset: 100}, false), c.want)
		for _, a := range l.arenas {
			fill(a.data)
		}
	}
}
