namespace Weir.Configuration;

/// <summary>
/// The one limit of nesting for every reader of a message: of an agent's client, of a server, of a model, and of the node between
/// them. A message that one reader accepts is read by all the others. Linked into the node's agent. Bodies of Weir's own endpoints and of
/// <c>/rest/v1</c> are other messages, with forms and limits of their own; <c>mcp.maxDepth</c> may set a lower limit at the door.
/// </summary>
internal static class JsonDepth
{
    /// <summary>A message as it came, and each part of it. Levels.</summary>
    public const int Message = 128;

    /// <summary>For what Weir puts a part of a message into: an answer, a report, a row, a request to a model. Levels.</summary>
    public const int Wrapped = Message + 16;
}
