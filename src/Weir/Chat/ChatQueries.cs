using System.Text.Json;
using Weir.Postgres;

namespace Weir.Chat;

/// <summary>What a turn asks of the database: as the person what a person sees and says, as the engine what an agent answers.</summary>
internal sealed class ChatQueries(UserSession users, Databases databases)
{
    private const string Context = "select public.chat_context($1, $2, $3)";
    private const string DirectContext = "select public.open_direct_channel($1, $2)";
    private const string Post = "select public.post_chat_message($1, $2, $3)";
    private const string Messages =
        "select id, sender, user_id, agent_id, agent_name, content, reply_to, tool_calls, usage, degraded from public.get_chat_messages_with_details($1, $2, $3)";

    private const string RecordAnswer = "select weir.record_chat_answer($1, $2, $3, $4, $5, $6, $7, $8)";
    private const string Audit = "select weir.audit_mcp_interactions($1)";

    /// <summary>Where a turn takes place, as the person sees it.</summary>
    public sealed record Place(Guid OrganizationId, Guid ChannelId, ChatAgent? Agent, string? Instructions);

    public sealed record Message(
        Guid Id, string Sender, Guid? UserId, Guid? AgentId, string? AgentName, string Content, Guid? ReplyTo, JsonElement ToolCalls, JsonElement Usage, JsonElement Degraded);

    /// <summary>The channel that was named, or the person's direct conversation with the agent, which is made on first use.</summary>
    /// <exception cref="Errors.WeirException">
    /// WR004: one of them is not there for this person, or they do not belong together. WR001: neither a channel nor an agent was named.
    /// WR003: a viewer begins no conversation.
    /// </exception>
    public async Task<Place> PlaceAsync(Guid userId, Guid? agentId, Guid? workspaceId, Guid? channelId, CancellationToken ct)
    {
        var json = channelId is null
            ? await users.CallAsync(userId, DirectContext, [Sql.Uuid(agentId), Sql.Uuid(workspaceId)], ct)
            : await users.CallAsync(userId, Context, [Sql.Uuid(agentId), Sql.Uuid(workspaceId), Sql.Uuid(channelId)], ct);
        var agent = json.GetProperty("agent");
        var isAgent = agent.ValueKind == JsonValueKind.Object;
        return new Place(
            json.GetProperty("organization_id").GetGuid(),
            json.GetProperty("channel_id").GetGuid(),
            isAgent ? new ChatAgent(agent.GetProperty("id").GetGuid(), agent.GetProperty("name").GetString()!) : null,
            isAgent ? agent.GetProperty("instructions").GetString() : null);
    }

    /// <exception cref="Errors.WeirException">WR003: a viewer says nothing. WR004: the channel is not there for this person.</exception>
    public async Task<(Guid Id, bool Created)> PostAsync(Guid userId, Guid channelId, string content, string? clientMessageId, CancellationToken ct)
    {
        var json = await users.CallAsync(userId, Post, [Sql.Uuid(channelId), Sql.Text(content), Sql.Text(clientMessageId)], ct);
        return (json.GetProperty("id").GetGuid(), json.GetProperty("created").GetBoolean());
    }

    /// <summary>Newest first, those before one of them.</summary>
    public Task<IReadOnlyList<Message>> MessagesAsync(Guid userId, Guid channelId, Guid? before, int limit, CancellationToken ct) => users.QueryAsync(
        userId,
        Messages,
        [Sql.Uuid(channelId), Sql.Uuid(before), Sql.Integer(limit)],
        r => new Message(
            r.GetGuid(0), r.GetString(1), r.GetNullable<Guid>(2), r.GetNullable<Guid>(3), r.GetNullableString(4), r.GetString(5), r.GetNullable<Guid>(6),
            r.GetJson(7), r.GetJson(8), r.GetJson(9)),
        ct);

    /// <summary>Saves the answer; the id of the one that is there, if there is one.</summary>
    public Task<Guid> RecordAnswerAsync(Guid userId, Guid agentId, Guid channelId, Guid replyTo, ChatAnswer answer, CancellationToken ct) => databases.Engine.ScalarAsync<Guid>(
        RecordAnswer,
        [
            Sql.Uuid(userId),
            Sql.Uuid(agentId),
            Sql.Uuid(channelId),
            Sql.Uuid(replyTo),
            Sql.Text(answer.Message),
            Sql.Jsonb(JsonSerializer.Serialize(answer.ToolCalls, ChatAnswer.Json)),
            Sql.Jsonb(JsonSerializer.Serialize(answer.Usage, ChatAnswer.Json)),
            Sql.Jsonb(JsonSerializer.Serialize(answer.Degraded, ChatAnswer.Json)),
        ],
        ct);

    /// <summary>The turn's row in the record.</summary>
    /// <param name="turnId">The person's message, which the turn's tool calls carry as their request id too.</param>
    public Task RecordTurnAsync(
        Guid organizationId, Guid userId, Guid agentId, Guid channelId, Guid turnId, string outcome, string? errorCode, string detail, TimeSpan duration, CancellationToken ct) =>
        databases.Engine.ExecuteAsync(
            Audit,
            [
                Sql.Jsonb(JsonSerializer.Serialize(new[]
                {
                    new
                    {
                        kind = "chat",
                        organization_id = organizationId,
                        user_id = userId,
                        agent_id = agentId,
                        item = channelId.ToString(),
                        request_id = turnId.ToString(),
                        outcome,
                        error_code = errorCode,
                        detail,
                        duration_us = (long)duration.TotalMicroseconds,
                    },
                })),
            ],
            ct);
}
