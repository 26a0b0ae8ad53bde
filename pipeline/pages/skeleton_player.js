"use strict";
// Plays clips as moving skeletons. Each <figure class="player"> holds a canvas, controls, and one clip as JSON in the
// form of pipeline/pages/skeleton_player.py. Keys while a player has the focus: Space plays and pauses, the arrows step a
// frame, Shift with an arrow turns the view, Home and End go to the first and last frame, J and B switch the labels.

const SKELETON = JSON.parse(document.getElementById("skeleton").textContent);
const JOINTS = SKELETON.names.length;
const ABSENT = -32768; // stands for the coordinates of an absent joint; skeleton_player.py has the same number
// [yaw, pitch] of the viewer, radians
const VIEWS = { front: [0, 0.12], left: [Math.PI / 2, 0.12], behind: [Math.PI, 0.12], above: [0, Math.PI / 2 - 0.01] };
const GRID_M = 0.5; // the least side of a floor square

class Player {
  constructor(figure) {
    this.figure = figure;
    this.clip = JSON.parse(figure.querySelector("script").textContent);
    const bytes = Uint8Array.from(atob(this.clip.joints), (c) => c.charCodeAt(0));
    this.steps = new Int16Array(bytes.buffer);
    this.canvas = figure.querySelector("canvas");
    this.control = Object.fromEntries(
      [...figure.querySelectorAll("[data-control]")].map((element) => [element.dataset.control, element]));
    this.frame = 0;
    this.playing = false;
    [this.yaw, this.pitch] = VIEWS.front;
    this.fit();
    this.listen();
    this.show(0);
  }

  // A joint in the viewer's axes (right, up, towards the viewer), metres; null when it is absent.
  point(frame, body, joint) {
    const at = ((frame * this.clip.bodies + body) * JOINTS + joint) * 3;
    if (this.steps[at] === ABSENT) return null;
    const [x, y, z] = [0, 1, 2].map((axis) => this.steps[at + axis] * this.clip.unit_m);
    return this.clip.view.map((axis) => axis[0] * x + axis[1] * y + axis[2] * z);
  }

  // Measures the middle and the size of everything that the clip shows, so that it fits whichever way it is turned.
  fit() {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    const points = [];
    for (let frame = 0; frame < this.clip.frames; frame++)
      for (let body = 0; body < this.clip.bodies; body++)
        for (let joint = 0; joint < JOINTS; joint++) {
          const point = this.point(frame, body, joint);
          if (point) {
            points.push(point);
            point.forEach((value, axis) => {
              low[axis] = Math.min(low[axis], value);
              high[axis] = Math.max(high[axis], value);
            });
          }
        }
    this.empty = !points.length;
    this.middle = this.empty ? [0, 0, 0] : low.map((value, axis) => (value + high[axis]) / 2);
    this.half = this.empty ? 1 : Math.max(0.05, (high[1] - low[1]) / 2);
    this.radius = Math.max(0.05, ...[0].concat(points.length ? [points.reduce((most, p) =>
      Math.max(most, Math.hypot(p[0] - this.middle[0], p[2] - this.middle[2])), 0)] : []));
  }

  // From the viewer's axes to [x, y, depth] on the canvas, in CSS pixels. Depth grows towards the viewer.
  project(point) {
    const [a, b, c] = point.map((value, axis) => value - this.middle[axis]);
    const [sinYaw, cosYaw, sin, cos] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    const right = a * cosYaw + c * sinYaw, near = c * cosYaw - a * sinYaw;
    return [this.width / 2 + right * this.scale, this.height / 2 - (b * cos - near * sin) * this.scale, b * sin + near * cos];
  }

  size() {
    const box = this.canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [Math.max(1, box.width), Math.max(1, box.height)];
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    const upright = this.half * Math.cos(this.pitch) + this.radius * Math.abs(Math.sin(this.pitch));
    this.scale = Math.min((this.width * 0.45) / this.radius, (this.height * 0.43) / upright);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }

  draw() {
    const context = this.size();
    const style = getComputedStyle(this.figure);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    context.clearRect(0, 0, this.width, this.height);
    context.font = "12px system-ui, sans-serif";
    this.drawFloor(context, colour("grid"));
    const drawn = [], bones = [];
    for (let body = 0; body < this.clip.bodies; body++) {
      const points = SKELETON.names.map((_, joint) => {
        const point = this.point(this.frame, body, joint);
        return point && this.project(point);
      });
      drawn.push(points);
      for (const [parent, child] of SKELETON.bones)
        if (points[parent] && points[child])
          bones.push({ from: points[parent], to: points[child], side: SKELETON.sides[child], body });
    }
    bones.sort((one, other) => one.from[2] + one.to[2] - other.from[2] - other.to[2]);
    context.lineCap = "round";
    for (const bone of bones) {
      context.strokeStyle = colour(bone.side);
      context.lineWidth = bone.body ? 2.5 : 4;
      context.beginPath();
      context.moveTo(bone.from[0], bone.from[1]);
      context.lineTo(bone.to[0], bone.to[1]);
      context.stroke();
    }
    drawn.forEach((points, body) => this.drawJoints(context, points, body, colour));
    this.drawAxes(context, colour("ink"));
    this.drawn = drawn;
    if (!drawn.flat().some(Boolean)) {
      context.fillStyle = colour("ink");
      context.fillText("no body in this frame", 10, 20);
    }
  }

  drawJoints(context, points, body, colour) {
    points.forEach((point, joint) => {
      if (!point) return;
      context.fillStyle = colour(SKELETON.sides[joint]);
      const size = body ? 2.5 : 3.5;
      if (SKELETON.sides[joint] === "right") context.fillRect(point[0] - size, point[1] - size, 2 * size, 2 * size);
      else {
        context.beginPath();
        context.arc(point[0], point[1], size, 0, 2 * Math.PI);
        context.fill();
      }
    });
    const text = (words, x, y) => {
      context.lineWidth = 3;
      context.strokeStyle = colour("paper");
      context.strokeText(words, x, y);
      context.fillStyle = colour("ink");
      context.fillText(words, x, y);
    };
    if (this.control.joints.checked)
      points.forEach((point, joint) => point && text(String(joint), point[0] + 5, point[1] - 4));
    if (this.control.bodies.checked && points.some(Boolean)) {
      const present = points.filter(Boolean);
      const [left, top] = [0, 1].map((axis) => Math.min(...present.map((point) => point[axis])));
      text("body " + (body + 1), left, Math.max(14, top - 12));
    }
  }

  drawFloor(context, colour) {
    const floor = this.middle[1] - this.half;
    const step = GRID_M * Math.max(1, Math.ceil(this.radius / (8 * GRID_M)));
    const reach = Math.ceil(this.radius / step) * step;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.beginPath();
    for (let at = -reach; at <= reach + 1e-9; at += step)
      for (const [one, other] of [[[at, -reach], [at, reach]], [[-reach, at], [reach, at]]])
        [one, other].forEach(([a, c], end) => {
          const [x, y] = this.project([this.middle[0] + a, floor, this.middle[2] + c]);
          if (end) context.lineTo(x, y);
          else context.moveTo(x, y);
        });
    context.stroke();
    this.control.grid.textContent = `floor squares: ${step} m`;
  }

  // Draws the axes of the data in the corner.
  drawAxes(context, colour) {
    const origin = this.project(this.middle);
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.5;
    const corner = [44, this.height - 34];
    ["x", "y", "z"].forEach((name, axis) => {
      const tip = this.project(this.middle.map((value, row) => value + (24 / this.scale) * this.clip.view[row][axis]));
      const [x, y] = [tip[0] - origin[0], tip[1] - origin[1]];
      context.beginPath();
      context.moveTo(...corner);
      context.lineTo(corner[0] + x, corner[1] + y);
      context.stroke();
      if (Math.hypot(x, y) > 6) context.fillText(name, corner[0] + x * 1.35 - 3, corner[1] + y * 1.35 + 4);
    });
  }

  show(frame) {
    this.frame = ((frame % this.clip.frames) + this.clip.frames) % this.clip.frames;
    this.figure.dataset.frame = this.frame;
    this.control.frame.value = this.frame;
    const seconds = (this.frame / this.clip.fps).toFixed(2);
    this.control.time.textContent = `frame ${this.frame + 1} of ${this.clip.frames}, ${seconds} s`;
    this.control.frame.setAttribute("aria-valuetext", this.control.time.textContent);
    this.draw();
  }

  play(playing) {
    this.playing = playing;
    this.figure.dataset.playing = playing;
    this.control.play.textContent = playing ? "Pause" : "Play";
    if (!playing) return;
    const first = this.frame, start = performance.now();
    const token = (this.token = {});
    const tick = (now) => {
      if (!this.playing || this.token !== token) return;
      const passed = Math.floor(((Math.max(0, now - start)) / 1000) * this.clip.fps * Number(this.control.speed.value));
      if ((first + passed) % this.clip.frames !== this.frame) this.show(first + passed);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.PI / 2, Math.max(-Math.PI / 2, this.pitch + pitch));
    this.control.view.value = "turned";
    this.draw();
  }

  step(frame) {
    this.play(false);
    this.show(frame);
  }

  listen() {
    const { play, frame, view, speed, joints, bodies } = this.control;
    play.addEventListener("click", () => this.play(!this.playing));
    frame.addEventListener("input", () => this.step(Number(frame.value)));
    view.addEventListener("change", () => {
      if (VIEWS[view.value]) [this.yaw, this.pitch] = VIEWS[view.value];
      this.draw();
    });
    speed.addEventListener("change", () => this.playing && this.play(true));
    for (const box of [joints, bodies]) box.addEventListener("change", () => this.draw());
    this.figure.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.grip = [event.clientX, event.clientY];
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.grip) return this.hover(event);
      const touch = event.pointerType === "touch";
      this.turn((event.clientX - this.grip[0]) / 120, touch ? 0 : (event.clientY - this.grip[1]) / 120);
      this.grip = [event.clientX, event.clientY];
    });
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => (this.grip = null));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.tagName === "SELECT") return;
    const onButton = ["BUTTON", "INPUT"].includes(event.target.tagName) && event.target.type !== "range";
    const turn = 0.15;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrows && event.shiftKey) this.turn(arrows[0] * turn, arrows[1] * turn);
    else if (arrows && arrows[0]) this.step(this.frame + arrows[0]);
    else if (event.key === " " && !onButton) this.play(!this.playing);
    else if (event.key === "Home") this.step(0);
    else if (event.key === "End") this.step(this.clip.frames - 1);
    else if (event.key.toLowerCase() === "j") this.control.joints.click();
    else if (event.key.toLowerCase() === "b") this.control.bodies.click();
    else return;
    event.preventDefault();
  }

  // Names the joint below the pointer, with the coordinates that it has in the data.
  hover(event) {
    const box = this.canvas.getBoundingClientRect();
    let best = null;
    (this.drawn || []).forEach((points, body) => points.forEach((point, joint) => {
      const away = point ? Math.hypot(point[0] - event.clientX + box.left, point[1] - event.clientY + box.top) : Infinity;
      if (away < 12 && (!best || away < best.away)) best = { away, body, joint };
    }));
    let words = "";
    if (best) {
      const at = ((this.frame * this.clip.bodies + best.body) * JOINTS + best.joint) * 3;
      const [x, y, z] = [0, 1, 2].map((axis) => (this.steps[at + axis] * this.clip.unit_m).toFixed(2));
      words = `body ${best.body + 1}, ${best.joint} ${SKELETON.names[best.joint]}: x ${x}, y ${y}, z ${z} m`;
    }
    this.canvas.title = words;
    this.control.joint.textContent = words;
  }
}

window.players = [...document.querySelectorAll("figure.player")].map((figure) => new Player(figure));
for (const player of window.players)
  if (player.figure.dataset.autoplay === "true" && !window.matchMedia("(prefers-reduced-motion: reduce)").matches)
    player.play(true);
