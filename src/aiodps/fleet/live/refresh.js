
const INTERVAL = 1000 // milliseconds
const MOST_MISSES = 3
let misses = 0

const show = (changes) => {
  for (const [id, text] of Object.entries(changes.texts)) {
    document.getElementById(id).textContent = text
  }
  for (const [name, sources] of Object.entries(changes.charts)) {
    const chart = Bokeh.documents.map((each) => each.get_model_by_name(name)).find((each) => each)
    sources.forEach((data, index) => { chart.renderers[index].data_source.data = data })
  }
}

const refresh = async () => {
  try {
    const response = await fetch("changes", {cache: "no-store"})
    if (!response.ok) throw new Error(`status ${response.status}`)
    // No number is no mark: null would be drawn as 0.
    const changes = JSON.parse(await response.text(), (_, value) => value ?? NaN)
    if (changes.shape !== document.body.dataset.shape) return location.reload()
    show(changes)
    misses = 0
  } catch {
    misses += 1
  }
  if (misses < MOST_MISSES) return setTimeout(refresh, INTERVAL)
  document.getElementById("ended").hidden = false
}

setTimeout(refresh, INTERVAL)
