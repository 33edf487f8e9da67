package bench

import "unsafe"

// arena lends the memory of one operation after the other: to touch fresh memory costs more than any kernel.
type arena struct {
	buffers [][]byte
	lent    int
}

// Memory is where an operation of one's own has its slices: lent anew for every size, and touched before.
type Memory = arena

// Alloc lends a slice of n elements. No two slices begin at the same place of a page, as in all operations.
func Alloc[E any](m *Memory, n int) []E { return alloc[E](m, n) }

// Elements lends the n elements that all operations quantize.
func Elements(m *Memory, n int) []float32 { return elements[float32](m, n) }

// page is that of every system to be expected, or a part of it.
const page = 4096

// reset takes all memory back.
func (a *arena) reset() { a.lent = 0 }

// alloc lends room for n elements. The k-th buffer begins k*2112 bytes behind the start of a page: loads and stores at the same place of
// their pages would hinder one another.
func alloc[E any](a *arena, n int) []E {
	offset := a.lent * 2112 % page
	need := n*int(unsafe.Sizeof(*new(E))) + 2*page
	if a.lent == len(a.buffers) {
		a.buffers = append(a.buffers, nil)
	}
	if len(a.buffers[a.lent]) < need {
		a.buffers[a.lent] = make([]byte, need)
	}
	buffer := a.buffers[a.lent]
	a.lent++
	misaligned := int(uintptr(unsafe.Pointer(unsafe.SliceData(buffer))) % page)
	return unsafe.Slice((*E)(unsafe.Pointer(&buffer[(page-misaligned)%page+offset])), n)
}
