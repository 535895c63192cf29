// The commands that empty views name.

export const ADD_EDGE = 'smartpick-central edges add --warehouse UUID --name "north 1"';
export const ADD_ADMINISTRATOR = 'smartpick-central users add NAME --role administrator';
export const CHANGE_ROLE = (name: string, role: string) => `smartpick-central users role ${name} ${role}`;
