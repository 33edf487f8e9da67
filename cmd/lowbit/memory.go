package main

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// element is an element of tensors as the tool reads and writes them.
type element interface {
	uint8 | int32 | float32 | float16.Float16 | bf16.BFloat16
}

// sizeOf is the size of an element in bytes.
func sizeOf[E element]() int64 { return int64(unsafe.Sizeof(*new(E))) }

// memory is lent to one tensor after the other: fresh memory costs more than any kernel. It is aligned to every element.
type memory []uint64

// lend returns room for n elements. What it holds is what was left there.
func lend[E element](m *memory, n int) []E {
	words := (n*int(sizeOf[E]()) + 7) / 8
	if cap(*m) < words {
		*m = make(memory, words)
	}
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(*m))), n)
}

// pool lends workspaces to workers, and keeps those that come back. Unlike those of a sync.Pool they are never made twice.
type pool[B any] struct {
	mu   sync.Mutex
	free []*B
}

func (p *pool[B]) get() *B {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return new(B)
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b
}

func (p *pool[B]) put(b *B) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
}

// systemMemory returns what Linux says of the machine's memory, in bytes.
func systemMemory(field string) (bytes int64, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == field+":" && fields[2] == "kB" {
			kB, err := strconv.ParseInt(fields[1], 10, 64)
			return kB << 10, err == nil
		}
	}
	return 0, false
}

// bytesOf views elements as the bytes that they have in memory.
func bytesOf[E element](elements []E) []byte {
	size := int(sizeOf[E]())
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(elements))), len(elements)*size)
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// toggleEndian turns elements from little-endian, which files are, to the machine's order, or back.
func toggleEndian[E element](elements []E) {
	size := int(sizeOf[E]())
	if bigEndian && size > 1 {
		for one := range slices.Chunk(bytesOf(elements), size) {
			slices.Reverse(one)
		}
	}
}
