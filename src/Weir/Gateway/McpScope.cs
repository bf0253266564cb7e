using Weir.Identity;

namespace Weir.Gateway;

/// <summary>Which of Weir's MCP endpoints was called, and by whom.</summary>
/// <param name="Path">The endpoint's path, which a session is bound to.</param>
/// <param name="InstanceName">The one server behind <c>/mcp/{instance}</c>; null on the aggregating endpoints.</param>
internal sealed record McpScope(string Path, Principal Principal, string? InstanceName);
