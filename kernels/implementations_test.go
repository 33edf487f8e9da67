package kernels

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/race"
)

// exhaustive asks for tests that take minutes.
var exhaustive = os.Getenv("LOWBIT_EXHAUSTIVE") != ""

// brief reports whether little time is to be taken: with -short, as under an
// emulator, and by the race detector.
func brief() bool { return (testing.Short() || race.Enabled) && !exhaustive }

// effort chooses how often something is tried.
func effort(short, normal, whole int) int {
	switch {
	case exhaustive:
		return whole
	case brief():
		return short
	}
	return normal
}

// forEachImplementation runs a test with every implementation there is here.
func forEachImplementation(t *testing.T, f func(t *testing.T)) {
	was := Implementation()
	t.Cleanup(func() { require.NoError(t, Use(was)) })
	for _, name := range Implementations() {
		require.NoError(t, Use(name))
		t.Run(name, f)
	}
}

// view returns the bytes as numbers of type E.
func view[E any](b []byte) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(E))))
}

// view4 returns the bytes of numbers.
func view4(s []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*len(s))
}
