// Swipes on a phone: left rejects, right keeps, up opens the class picker.

const FAR = 70; // pixels

/** Call `swipes.left`, `.right` or `.up`; the picture follows the finger until then. */
export function startSwipes(stage, isAllowed, swipes) {
  let from = null;
  const picture = stage.firstElementChild;
  const release = () => {
    from = null;
    picture.style.transform = "";
    delete stage.dataset.swipe;
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch" || !isAllowed()) return;
    from = event.isPrimary ? { x: event.clientX, y: event.clientY } : null; // two fingers zoom
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from || !event.isPrimary) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    picture.style.transform = Math.abs(x) >= Math.abs(y) ? `translateX(${x}px)` : `translateY(${Math.min(0, y)}px)`;
    stage.dataset.swipe = direction(x, y);
  });
  stage.addEventListener("pointerup", (event) => {
    if (!from) return;
    const where = direction(event.clientX - from.x, event.clientY - from.y);
    release();
    if (where) swipes[where]();
  });
  stage.addEventListener("pointercancel", release);
}

function direction(x, y) {
  if (Math.abs(x) >= Math.abs(y)) return Math.abs(x) < FAR ? "" : x < 0 ? "left" : "right";
  return y < -FAR ? "up" : "";
}
