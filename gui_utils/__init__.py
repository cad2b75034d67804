"""Window, GL textures and shaders, Dear ImGui controls. Knows neither torch nor the application."""
