package kernels

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/cpuid"

	"github.com/lowbit-go/lowbit/bf16"
)

// streamAll has all calls that can write past the caches, and align groups of so many elements.
func streamAll(t testing.TB, least int) {
	was, wasLeast := SetStreaming(0), streamedLen
	streamedLen = least
	t.Cleanup(func() {
		SetStreaming(was)
		streamedLen = wasLeast
	})
}

// TestStreaming holds what is written past the caches against the portable
// implementation: results at all offsets from a cache line, together and apart,
// groups that stay aligned and groups that do not.
func TestStreaming(t *testing.T) {
	implementations := assembled(t)
	streamAll(t, 65)
	r := newSource(5)
	l := newLab()
	grids := []Grid{{1, 1, 63}, {1, 1, 64}, {1, 1, 65}, {1, 1, 191}, {1, 1, 300}, {1, 20, 16}, {1, 13, 32}, {2, 3, 64}, {1, 5, 96}, {2, 3, 128}, {2, 2, 130}, {1, 3, 200}, {3, 1, 136}, {1, 40, 8}, {3, 130, 1}}
	for number, k := range table {
		t.Run(k.name, func(t *testing.T) {
			defer func(was fetching) { habit = was }(habit)
			for i, g := range grids {
				habit.ahead = []int{page, farFetch}[i%2] // either hint
				if k.flat && (g.Groups > 1 || g.Rows > 1) {
					continue
				}
				l.prepare(r, &k, g)
				for _, name := range implementations {
					require.NoError(t, Use(name))
					for offset := number % effort(7, 1, 1); offset < 64; offset += effort(7, 1, 1) {
						places := []place{{offset: offset}, {offset: offset, atEnd: true}}
						if i < 5 {
							places = append(places, place{offset: offset, apart: (offset*7 + number) % 64}, place{offset: number % 64, apart: offset})
						}
						l.hold(t, places...)
					}
				}
			}
		})
	}
}

// TestStreamedPieces shows that pieces make up the groups, and that those that are
// streamed are aligned wherever a whole tile may begin.
func TestStreamedPieces(t *testing.T) {
	streamAll(t, 200)
	r := newSource(6)
	memory := make([]byte, 1<<10)
	streamed := 0
	for range effort(2000, 20000, 200000) {
		g := Grid{1 + r.IntN(3), 1 + r.IntN(40), []int{1 + r.IntN(300), 1 << r.IntN(9), 64 * (1 + r.IntN(8))}[r.IntN(3)]}
		n := g.Rows * g.Groups * g.Len
		mask, bits := []Mask{NoMask, ByteMask(memory[r.IntN(64):][:1]), BitMask(memory[:1])}[r.IntN(3)], 4<<r.IntN(4)
		dst := unsafe.Pointer(&memory[max(1, bits/8)*r.IntN(64)])
		s := spans{g: g, n: g.Groups, most: 128 << r.IntN(4), to: streamingTo(avx512, n, 32, dst, bits, mask)}
		if mask.kind != noMask && bits == 4 {
			s.to = streaming{}
		}
		seen := 0
		for s.advance() {
			require.Equal(t, seen, s.off, "%+v", s)
			require.Equal(t, seen/g.Len%g.Groups, s.first, "%+v", s)
			seen += s.groups * s.length
			if s.ahead <= fence {
				continue
			}
			streamed++
			tile := cacheLine / max(1, min(4, cacheLine/s.length)) * max(1, min(4, cacheLine/s.length)) // elements
			for i := range s.groups {
				at := s.off + i*s.length
				if s.length < cacheLine && (i*s.length%tile != 0 || tile%s.length != 0) {
					continue
				}
				assert.Zero(t, (uintptr(dst)+uintptr(at*bits/8))%uintptr(min(cacheLine*bits/8, cacheLine)), "%+v, group %d", s, i)
				if mask.kind == byteMask {
					assert.Zero(t, (uintptr(unsafe.Pointer(&mask.data[0]))+uintptr(at))%cacheLine, "%+v, group %d", s, i)
				}
			}
		}
		require.Equal(t, n, seen, "%+v", s)
		require.Equal(t, s.to.unit > 0, s.ahead&fence > 0, "%+v", s)
	}
	assert.Greater(t, streamed, 1000)
}

// TestStreamingAcrossLines shows that results whose elements no cache line begins
// with go the ordinary way: stores past the caches must be aligned.
func TestStreamingAcrossLines(t *testing.T) {
	implementations := assembled(t)
	streamAll(t, 65)
	const n = 1000
	src, memory := make([]float32, n), make([]byte, 4*n+8)
	codes, want := make([]bf16.BFloat16, n), make([]float32, n)
	for i := range src {
		src[i] = float32(i) / 8
		codes[i] = bf16.FromFloat32(src[i])
		want[i] = codes[i].Float32()
	}
	for _, name := range implementations {
		require.NoError(t, Use(name))
		for off := range 4 {
			dst := unsafe.Slice((*float32)(unsafe.Pointer(&memory[off])), n)
			DecodeBFloat16(dst, codes)
			require.Equal(t, want, dst, "%s, %d", name, off)
			half := unsafe.Slice((*bf16.BFloat16)(unsafe.Pointer(&memory[off])), n)
			EncodeBFloat16(half, src)
			require.Equal(t, codes, half, "%s, %d", name, off)
		}
	}
}

// TestSetStreaming shows from where on calls stream.
func TestSetStreaming(t *testing.T) {
	was := SetStreaming(1000)
	defer SetStreaming(was)
	assert.Equal(t, habit.from, was)
	assert.Equal(t, fetching{10 << 20, 8192}, habitOf("GenuineIntel", [2]int{6, 207}))
	assert.Equal(t, fetching{-1, 8192}, habitOf("GenuineIntel", [2]int{6, 85}))
	assert.Equal(t, fetching{16 << 20, 4096}, habitOf("AuthenticAMD", [2]int{25, 17}))
	assert.Equal(t, fetching{16 << 20, 5120}, habitOf("AuthenticAMD", [2]int{25, 1}))
	assert.Equal(t, fetching{16 << 20, 5120}, habitOf("AuthenticAMD", [2]int{25, 80}))
	assert.Equal(t, fetching{16 << 20, 4096}, habitOf("AuthenticAMD", [2]int{25, 97}))
	if cpuid.Maker() != "" {
		assert.Contains(t, WhyStreaming(), "from 1000 bytes on")
		assert.Contains(t, WhyStreaming(), "SetStreaming")
	}
	memory := make([]byte, 64)
	dst := unsafe.Pointer(&memory[0])
	for _, c := range []struct {
		from, n int
		impl    isa
		streams bool
	}{
		{1000, 200, avx2, true}, {1000, 199, avx2, false}, {1000, 200, neon, false}, {0, 1, avx512, true}, {-1, 1 << 24, avx512, false},
	} {
		SetStreaming(c.from)
		assert.Equal(t, c.streams, streamingTo(c.impl, c.n, 32, dst, 8, NoMask).unit > 0, "%+v", c)
	}
}
