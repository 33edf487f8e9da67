package kernels

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lookingUp calls f with the kernels that look codes up in tables made for
// groups, and the implementation that does so chosen.
func lookingUp(t *testing.T, f func(t *testing.T, k *kernel)) {
	const name = "avx512vbmi"
	if !slices.Contains(assembled(t), name) {
		t.Skip("nothing is looked up here")
	}
	require.NoError(t, Use(name))
	was, codes := tabledLen, everyCode
	t.Cleanup(func() { tabledLen, everyCode = was, codes })
	count := 0
	for _, k := range table {
		codeIsByte := k.operands[1].len(Grid{1, 1, 2}) == 2 // or becomes one, where it has six bits
		if strings.HasPrefix(k.name, "Dequantize") && k.operands[0].elem.size == 2 && codeIsByte {
			count++
			t.Run(k.name, func(t *testing.T) { f(t, &k) })
		}
	}
	assert.Equal(t, 2*(4*3+5), count) // float16 and bfloat16 from integers of eight and six bits and from small floats
}

// TestLookUp holds looking up against the portable implementation, for lengths
// around that from which on it is done, and for many lengths as if it always were,
// with stores past the caches too.
func TestLookUp(t *testing.T) {
	r, l := newSource(7), newLab()
	from := tabledLen
	lookingUp(t, func(t *testing.T, k *kernel) {
		try := func(g Grid, places ...place) {
			l.prepare(r, k, g)
			l.hold(t, places...)
		}
		for _, streams := range []bool{false, true} {
			if streams {
				streamAll(t, 65)
			}
			tabledLen = from
			for _, length := range []int{from - 1, from, from + 1, from + 63, 2*from + 32} {
				try(Grid{1, 1, length}, place{atEnd: true}, place{offset: length % 64})
				try(Grid{2, 3, length}, place{atEnd: true}, place{offset: length % 64})
			}
			tabledLen = 64
			for length := 64; length <= 300; length += effort(7, 1, 1) {
				try(Grid{1, 1, length}, place{atEnd: true}, place{offset: length % 64}, place{offset: length % 64, atEnd: true})
			}
			for offset := range 64 {
				try(Grid{1 + offset%3, 1 + offset%5, 64 + r.IntN(300)}, place{offset: offset}, place{offset: offset, atEnd: true})
			}
		}
	})
}

// TestLookUpBits shows that all codes have the bits that they have elsewhere,
// those of NaN too, whatever the scale.
func TestLookUpBits(t *testing.T) {
	r, l := newSource(8), newLab()
	lookingUp(t, func(t *testing.T, k *kernel) {
		g := Grid{1, len(specials) + 200, 256}
		for range effort(1, 8, 50) {
			l.prepare(r, k, g)
			for i := range l.given.mem[1] {
				l.given.mem[1][i] = byte(i)
			}
			copy(mem[float32](&l.given, 2), specials)
			results := func(from int) []byte {
				tabledLen = from
				call := l.given
				call.mem = slices.Clone(call.mem)
				call.mem[0] = make([]byte, len(call.mem[0]))
				k.run(&call)
				return call.mem[0]
			}
			require.Equal(t, results(math.MaxInt), results(64))
		}
	})
}

// TestLookUpFrom shows from which length on tables are used: what is not as it
// should be in them is in the results then.
func TestLookUpFrom(t *testing.T) {
	l := newLab()
	from := tabledLen
	lookingUp(t, func(t *testing.T, k *kernel) {
		for i := range everyCode {
			everyCode[i] = byte(i) ^ 1
		}
		for length, wrong := range map[int]bool{1: false, 256: false, from - 1: false, from: true, from + 1: true, 5 * from: true} {
			for _, rows := range []int{1, 3} {
				l.prepare(newSource(1), k, Grid{rows, 2, length})
				for i := range l.given.mem[2] {
					l.given.mem[2][i] = 0x3f // of scales
				}
				if len(l.given.mem) > 4 { // minval too can be so large that codes do not count
					clear(l.given.mem[4])
				}
				k.oracle(&l.given)
				assert.Equal(t, wrong, l.try(place{}) != nil, "%d rows, length %d", rows, length)
			}
		}
	})
}
