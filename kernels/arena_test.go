package kernels

import (
	"bytes"
	"errors"

	"github.com/lowbit-go/lowbit/internal/guard"
)

// arena is memory that lies between two pages that nobody may touch, where the
// system has such pages. It is full of sentinels but for one slice at a time.
type arena struct {
	data []byte
	used []byte
	at   int
}

const (
	arenaLen = 1 << 17
	sentinel = 0xa5
	margin   = 256 // sentinels that are looked at on either side
)

func newArena() *arena {
	a := &arena{data: guard.Bytes(arenaLen)}
	fill(a.data)
	return a
}

// place returns n bytes that begin at an offset behind the first page, or end
// that far before the last one.
func (a *arena) place(n, offset int, atEnd bool) []byte {
	fill(a.used)
	a.at = offset
	if atEnd {
		a.at = len(a.data) - n - offset
	}
	a.used = a.data[a.at : a.at+n : a.at+n]
	return a.used
}

// check returns an error if something beside the slice was written.
func (a *arena) check() error {
	end := a.at + len(a.used)
	if !isSentinels(a.data[max(a.at-margin, 0):a.at]) {
		return errors.New("memory before it was written")
	}
	if !isSentinels(a.data[end:min(end+margin, len(a.data))]) {
		return errors.New("memory behind it was written")
	}
	return nil
}

var sentinels = bytes.Repeat([]byte{sentinel}, arenaLen)

func fill(b []byte)             { copy(b, sentinels) }
func isSentinels(b []byte) bool { return bytes.Equal(b, sentinels[:len(b)]) }
