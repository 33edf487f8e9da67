package beam

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
)

// progress is what this process has done.
var progress = meter{every: 10 * time.Second, now: time.Now}

// meter counts bytes, and tells of them from time to time.
type meter struct {
	every time.Duration
	now   func() time.Time

	mu    sync.Mutex
	bytes int64
	last  time.Time // when it told of them
}

// add counts bytes of a total.
func (m *meter) add(ctx context.Context, bytes, total int64) {
	if text := m.count(bytes, total); text != "" {
		log.Info(ctx, text)
	}
}

// count counts bytes of a total, and returns what is to be told, if it is time.
func (m *meter) count(bytes, total int64) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes += bytes
	now := m.now()
	if m.last.IsZero() {
		m.last = now
	}
	if now.Sub(m.last) < m.every {
		return ""
	}
	m.last = now
	return fmt.Sprintf("this worker has written %.3g of %.3g GB", float64(m.bytes)/1e9, float64(total)/1e9)
}
