"""Window, GL textures and shaders, Dear ImGui controls. Knows neither torch nor the application.

Import `imgui`, `implot`, `glfw` and `icons` from `gui_utils.libraries` (order matters, and a missing library gets a clear message).

errors      WindowError, TextureError; imports nothing
libraries   imgui, implot, glfw, icons
window      Window(WindowOptions(title, size, headless, ini_path, font_scale, content_scale, vsync)):
            wait(timeout_s) -> bool, wake() from any thread, with frame(), redraw(), screenshot(), take_dropped(), should_close,
            request_close(), size, framebuffer_size, framebuffer_scale, display_scale, font_scale, fullscreen, title, clipboard,
            plain_size, resize(), had_layout, layout (KeptLayout), close()
output_window OutputWindow: a second window that shows one texture of the first: show(texture, size), fill(monitor), close()
monitors    monitors(), named(text), under(place)
composition Composition: several painted pictures as one texture
pace        Pace: when the window draws, and when it sleeps
context     WindowOptions, creation of window and GL context, with all that can fail (re-exported by window)
layout_file KeptLayout: the docking layout in its file and as text, and put back
layout_scale the same text for another height of the font or size of the window: the middle keeps its part
layout_text usable(text, arrangements): a layout from elsewhere, checked, with panels that it does not know yet
theme       colours (ACCENT, WARNING, ERROR, SERIES) and fonts; applied by the window
texture     FloatTexture, ByteTexture (upload, show, delete), Pool, live_objects()
chords      Chords: a key tapped with a modifier within one frame keeps it (used by the window)
tone        ToneMap, PictureView, tone_map(values, tone), paint(values, view, mask): the numpy twin of the shader; COLORMAPS
sampling    axis_table: which samples make a pixel, with what weight
picture     PicturePainter: draw(texture, view, mask), show(), ref, size, read(), delete()
shader      program(fragment), Target: for further shaders
field       Field: what a control is called, means and may hold; power response (re-exported by controls)
controls    slider_float, slider_int, drag_float, drag_int, input_int, input_float, checkbox, combo, choice, text_input,
            button, toggle, value_row, section, label_column
scopes      `with` blocks: child_scope, card_scope, table_scope, popup_scope, tooltip_scope, color_scope, style_scope, font_scope, ...
text        number_text (em dash for what does not exist), signed_text, size_text, duration_text
plots       plot(name, Axes): line, band, bars, stairs, picture, vertical_line, drag_line, circle, cursor_text, series_color
layout      Arrangement(name, {title: region}), dock_area, docked_window, picture_window, top_bar, status_line
toasts      Toasts (add, draw, close_newest), Log, log_view, progress_bar -> cancelled
"""
