package kernels

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/cpuid"
)

// streamFrom is what SetStreaming sets.
var streamFrom atomic.Int64

func init() { streamFrom.Store(int64(habit.from)) }

// fetching is how a maker's processors read best what they write past the caches.
type fetching struct {
	from  int // bytes from which on a call does so; negative if none does
	ahead int // by how many bytes to fetch input before its turn
}

// habit is that of this machine. Beside results that go past the caches, Intel's
// Cascade Lake and Emerald Rapids take half as long again with the non-temporal hint
// as with lines fetched two pages ahead into their second cache. AMD's Zen 4 gains by
// the hint, a page ahead, and loses by the other. Zen 3 does not mind the hint, but takes
// a tenth longer where lines are fetched from the place of a page that is written just
// then: that is a page ahead where input and results begin at the same place of one, as
// large slices do. Emerald Rapids gains by results that go past the caches; Cascade Lake
// takes up to a quarter longer with them, by 256 bits most of all, and seldom a tenth
// less long.
var habit = habitOf(cpuid.Maker(), model())

// model is the processor's family and model, as in 6 and 85.
func model() [2]int {
	family, model := cpuid.Model()
	return [2]int{family, model}
}

// skylakeServer is the model of Skylake's, Cascade Lake's and Cooper Lake's servers.
var skylakeServer = [2]int{6, 85}

// isZen3 tells the models of family 25 that are not of Zen 4's generation.
func isZen3(model [2]int) bool {
	return model[0] == 25 && (model[1] < 16 || model[1] >= 32 && model[1] < 96)
}

const (
	page     = 4096
	farFetch = 2 * page // from here on AVX-512's assembly fetches into the second cache, as AVX2's always does
)

func habitOf(maker string, model [2]int) fetching {
	switch {
	case maker == "GenuineIntel" && model == skylakeServer:
		return fetching{-1, farFetch}
	case maker == "GenuineIntel":
		return fetching{10 << 20, farFetch}
	case maker == "AuthenticAMD" && isZen3(model):
		return fetching{16 << 20, page + page/4}
	}
	return fetching{16 << 20, page}
}

// WhyStreaming says from how many bytes on results are written past the caches, how
// input is fetched then, and what of the machine that is chosen by, as in "from
// 10485760 bytes on, fetched 8192 bytes ahead into the second cache: GenuineIntel,
// family 6, model 207, second cache 2097152 bytes, third 272629760".
func WhyStreaming() string {
	from := streamFrom.Load()
	second, third := cpuid.Caches()
	if cpuid.Maker() == "" {
		return "none: only the implementations for amd64 do it"
	}
	when, where := fmt.Sprintf("from %d bytes on", from), "by the non-temporal hint"
	if from < 0 {
		when = "never"
	}
	if habit.ahead >= farFetch || current() == avx2 {
		where = "into the second cache"
	}
	family, model := cpuid.Model()
	by := fmt.Sprintf("%s, family %d, model %d, second cache %d bytes, third %d", cpuid.Maker(), family, model, second, third)
	if from != int64(habit.from) {
		by = "SetStreaming"
	}
	return fmt.Sprintf("%s, fetched %d bytes ahead %s: %s", when, habit.ahead, where, by)
}

// SetStreaming sets from how many bytes on, read and written together, a call
// writes its results past the caches, and returns the setting before. Memory
// need not send what is overwritten then, and the caches keep what else is in
// them; but what reads the results next has to fetch them. Unless set it depends on
// the machine: see [WhyStreaming]. With 0 every call does that can, with a negative
// number none. The results are the same. Only the implementations for amd64 do it.
func SetStreaming(bytes int) (before int) {
	choosing.Lock()
	defer choosing.Unlock()
	before = int(streamFrom.Swap(int64(bytes)))
	if c := chosen.Load(); c != 0 {
		chosen.Store(uint32(smallMost(isa(c)))<<smallShift | c&(1<<smallShift-1))
	}
	return before
}

// streaming says where whole tiles may be written past the caches, which takes
// aligned memory in every output: from element first on, and from each unit-th
// behind it. Nowhere if unit is 0.
type streaming struct {
	unit, first int
	ahead       int // bytes by which to fetch input before its turn
}

const (
	cacheLine = 64 // bytes, and the elements of the largest tile
	fence     = 1  // added to ahead: nobody is to see what comes later before these stores
)

// streamedLen is the least group for which it pays to go the ordinary way to
// where it is aligned: such stores wait for their lines, and those behind them
// for these. A variable for the tests.
var streamedLen = 4096

// streamingTo tells how a kernel that reads so many bits for each of n elements
// writes its results, so many bits each at dst, and flags to the mask.
func streamingTo(impl isa, n, read int, dst unsafe.Pointer, bits int, mask Mask) streaming {
	bytes := n*(read+bits)/8 + len(mask.data)
	if uint64(bytes) < uint64(streamFrom.Load()) || impl == neon { // a negative number is large then
		return streaming{}
	}
	unit := min(8*cacheLine/bits, cacheLine)
	until := 8 * untilLine(dst, unit*bits/8)
	if until%bits != 0 { // elements that lie across lines, as those of a file's bytes may
		return streaming{}
	}
	s := streaming{unit, until / bits, habit.ahead} // the processor's own prefetching stops at the end of a page
	switch mask.kind {
	case byteMask:
		flags := untilLine(unsafe.Pointer(&mask.data[0]), cacheLine)
		if flags%unit != s.first {
			return streaming{}
		}
		s.unit, s.first = cacheLine, flags
	case bitMask:
		s = s.every(8)
	}
	return s
}

// every restricts a streaming to where each n-th element begins a byte; n is a
// power of two.
func (t streaming) every(n int) streaming {
	if t.first&(n-1) != 0 {
		return streaming{}
	}
	return t
}

// untilLine is how many bytes it is to the next multiple of size.
func untilLine(p unsafe.Pointer, size int) int { return int(-uintptr(p) & uintptr(size-1)) }

// piece decides on the one that begins at s.off: whether it is of whole groups,
// of how many elements at most, and whether it is streamed.
func (t streaming) piece(s *spans) (whole bool, most int) {
	s.ahead = 0
	whole, most = s.g.Len <= s.most, s.most
	if t.unit == 0 {
		return whole, most
	}
	rest := (t.first - s.off) & (t.unit - 1) // elements to the next that is aligned
	switch stays := s.g.Len%t.unit == 0 || cacheLine%s.g.Len == 0; {
	case rest == 0 && whole && stays && s.done == 0:
		s.ahead = t.ahead
	case rest == 0 && s.g.Len >= streamedLen:
		whole = false
		s.ahead = t.ahead
	case s.g.Len >= streamedLen:
		whole, most = false, rest
	case stays && rest > 0 && rest%s.g.Len == 0: // the next aligned one begins a group
		most = rest
	}
	return whole, most
}
