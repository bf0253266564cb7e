using Weir.Identity;

namespace Weir.Gateway.Http;

/// <summary>Which of Weir's MCP endpoints was called, and by whom.</summary>
/// <param name="Path">The endpoint's path, which a session is bound to.</param>
/// <param name="InstanceName">The one server behind <c>/mcp/{instance}</c>; null on the aggregating endpoints.</param>
/// <param name="IsSearch">Whether it shows two tools that find and call all others in the place of these.</param>
internal sealed record McpScope(string Path, Principal Principal, string? InstanceName, bool IsSearch = false);
